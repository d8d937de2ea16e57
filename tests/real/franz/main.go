// franz NAME TOPIC PARTITIONS SCHEMA SEED BAD RATE FOLDER bootstrap.servers=...: as tests/real/java/SendNumbered.java, by
// franz-go, whose producer is idempotent unless told otherwise.
package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	tick = 10 * time.Millisecond
	run  = 16
)

type numbered struct {
	name              string
	schema, seed, bad int
}

func (n numbered) key(partition, number int) []byte {
	return fmt.Appendf(nil, "%s/%d/%d", n.name, partition, number)
}

func (n numbered) value(partition, number int) []byte {
	total := 1
	if n.isBad(partition, number) {
		total = -1
	}
	framed := binary.BigEndian.AppendUint32([]byte{0}, uint32(n.schema))
	return fmt.Appendf(framed, `{"id":"%s","total":%d,"count":%d}`, n.name, total, number)
}

func (n numbered) isBad(partition, number int) bool {
	return n.thousandth(partition, number) < n.bad*3/5 || n.thousandth(partition, ^(number/run)) < n.bad*2/5
}

func (n numbered) thousandth(partition, number int) int {
	mixed := uint32(number)*0x9E3779B1 + uint32(partition)*0x85EBCA77 + uint32(n.seed)
	mixed = (mixed ^ mixed>>15) * 0x2C1B3C6D
	mixed = (mixed ^ mixed>>12) * 0x297A2D39
	return int((mixed ^ mixed>>15) % 1000)
}

// What a request that failed on its way costs: the client sends its batches again.
type failures struct{ count atomic.Int64 }

func (f *failures) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, e2e kgo.BrokerE2E) {
	if key == 0 && e2e.Err() != nil {
		f.count.Add(1)
	}
}

func integer(text string) int {
	number, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return number
}

func main() {
	arguments := os.Args[1:]
	name, topic, partitions := arguments[0], arguments[1], integer(arguments[2])
	n := numbered{name, integer(arguments[3]), integer(arguments[4]), integer(arguments[5])}
	rate, folder := float64(integer(arguments[6])), arguments[7]
	_, servers, _ := strings.Cut(arguments[8], "bootstrap.servers=")
	retries := &failures{}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(servers, ",")...),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(5*time.Millisecond),
		kgo.MetadataMinAge(250*time.Millisecond),
		// Without it a connection that ends before its first answer means missing TLS or SASL, and the producer gives up
		// for good. Whatever is killed, a broker as well, ends connections in their first moments too.
		kgo.AlwaysRetryEOF(),
		kgo.WithHooks(retries),
	)
	if err != nil {
		panic(err)
	}
	sent, due := 0, 0.0
	for {
		_, end := os.Stat(filepath.Join(folder, "end"))
		if _, gone := os.Stat(folder); end == nil || gone != nil {
			break
		}
		for due += rate * tick.Seconds(); due >= 1; due-- {
			partition, number := sent%partitions, sent/partitions
			record := &kgo.Record{
				Topic: topic, Partition: int32(partition), Key: n.key(partition, number), Value: n.value(partition, number),
			}
			client.Produce(context.Background(), record, func(_ *kgo.Record, err error) {
				if err != nil {
					fmt.Printf("{\"partition\":%d,\"failed\":%d,\"why\":%q}\n", partition, number, err.Error())
				} else if partition == 0 && number == 0 {
					_ = os.Mkdir(filepath.Join(folder, name), 0o755)
				}
			})
			sent++
		}
		time.Sleep(tick)
	}
	limit, cancel := context.WithTimeout(context.Background(), 150*time.Second)
	defer cancel()
	if err := client.Flush(limit); err != nil {
		panic(err)
	}
	for partition := range partitions {
		fmt.Printf("{\"partition\":%d,\"sent\":%d}\n", partition, (sent+partitions-1-partition)/partitions)
	}
	fmt.Printf("{\"retries\":%d}\n", retries.count.Load())
}
