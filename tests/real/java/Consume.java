import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Consume TOPIC,TOPIC COUNT key=value...: reads from the beginning until COUNT records have come and a second more
 * has brought none, or half a minute is over; prints one line a record. With group.id among the arguments it
 * subscribes as a member of that group and commits at the end, else it reads every partition by itself.
 */
public final class Consume {
    public static void main(String[] arguments) throws Exception {
        List<String> topics = Arrays.asList(arguments[0].split(","));
        int wanted = Integer.parseInt(arguments[1]);
        Properties configuration = new Properties();
        configuration.put("auto.offset.reset", "earliest");
        configuration.put("enable.auto.commit", "false");
        configuration.putAll(Records.configuration(arguments, 2));
        boolean group = configuration.containsKey("group.id");
        long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
        int seen = 0;
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(configuration, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            if (group) {
                consumer.subscribe(topics);
            } else {
                List<TopicPartition> partitions = new ArrayList<>();
                for (String topic : topics) {
                    for (PartitionInfo partition : consumer.partitionsFor(topic)) {
                        partitions.add(new TopicPartition(topic, partition.partition()));
                    }
                }
                consumer.assign(partitions);
                consumer.seekToBeginning(partitions);
            }
            long quietUntil = System.nanoTime() + Duration.ofSeconds(1).toNanos();
            while (System.nanoTime() < deadline && (seen < wanted || System.nanoTime() < quietUntil)) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    System.out.println(Records.consumed(record));
                    seen++;
                    quietUntil = System.nanoTime() + Duration.ofSeconds(1).toNanos();
                }
            }
            if (group) {
                consumer.commitSync();
            }
        }
    }
}
