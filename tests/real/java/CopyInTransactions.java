import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * CopyInTransactions FROM TO COUNT bootstrap.servers=...: consume-transform-produce, exactly once. Every poll's
 * records are copied in one transaction together with the group's offsets; the first is aborted once and done
 * again. Prints how many transactions were committed and aborted, and the group's offsets at the end.
 */
public final class CopyInTransactions {
    public static void main(String[] arguments) throws Exception {
        String from = arguments[0];
        String to = arguments[1];
        int wanted = Integer.parseInt(arguments[2]);
        Properties reading = Records.configuration(arguments, 3);
        reading.put("group.id", "copy-" + from);
        reading.put("auto.offset.reset", "earliest");
        reading.put("enable.auto.commit", "false");
        reading.put("isolation.level", "read_committed");
        reading.put("max.poll.records", "5");
        Properties writing = Records.configuration(arguments, 3);
        writing.put("transactional.id", "copy-" + from);
        writing.put("max.block.ms", "30000");
        long deadline = System.nanoTime() + Duration.ofSeconds(40).toNanos();
        int copied = 0;
        int committed = 0;
        int aborted = 0;
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(reading, new ByteArrayDeserializer(), new ByteArrayDeserializer());
            KafkaProducer<byte[], byte[]> producer =
                new KafkaProducer<>(writing, new ByteArraySerializer(), new ByteArraySerializer())) {
            producer.initTransactions();
            consumer.subscribe(List.of(from));
            while (copied < wanted && System.nanoTime() < deadline) {
                ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(500));
                if (records.isEmpty()) {
                    continue;
                }
                Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
                Map<TopicPartition, OffsetAndMetadata> before = new HashMap<>();
                producer.beginTransaction();
                for (ConsumerRecord<byte[], byte[]> record : records) {
                    TopicPartition partition = new TopicPartition(record.topic(), record.partition());
                    producer.send(new ProducerRecord<>(to, record.partition(), record.timestamp(), record.key(),
                        record.value(), record.headers()));
                    before.putIfAbsent(partition, new OffsetAndMetadata(record.offset()));
                    offsets.put(partition, new OffsetAndMetadata(record.offset() + 1));
                }
                producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
                if (aborted == 0) {
                    producer.abortTransaction();
                    aborted++;
                    before.forEach(consumer::seek);
                } else {
                    producer.commitTransaction();
                    committed++;
                    copied += records.count();
                }
            }
            long end = 0;
            for (Map.Entry<TopicPartition, OffsetAndMetadata> entry
                    : consumer.committed(consumer.assignment()).entrySet()) {
                end += entry.getValue() == null ? 0 : entry.getValue().offset();
            }
            System.out.println("{\"copied\":" + copied + ",\"committed\":" + committed + ",\"aborted\":" + aborted
                + ",\"offsets\":" + end + "}");
        }
    }
}
