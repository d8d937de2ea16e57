import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * ReadToEnd TOPIC key=value...: reads what every partition holds now, read_committed unless told otherwise; nothing when
 * there is no such topic. A line a record, with tabs between: partition, offset, key as text, and what its header
 * __portcullis.topic says; "-" for null.
 */
public final class ReadToEnd {
    public static void main(String[] arguments) throws Exception {
        Properties configuration = new Properties();
        configuration.put("isolation.level", "read_committed");
        configuration.put("max.poll.records", "5000");
        configuration.put("allow.auto.create.topics", "false");
        configuration.putAll(Records.configuration(arguments, 1));
        StringBuilder out = new StringBuilder();
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(configuration, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> partitions = new ArrayList<>();
            for (PartitionInfo partition : consumer.partitionsFor(arguments[0])) {
                partitions.add(new TopicPartition(arguments[0], partition.partition()));
            }
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            while (!ends.entrySet().stream().allMatch(end -> consumer.position(end.getKey()) >= end.getValue())) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    Header topic = record.headers().lastHeader("__portcullis.topic");
                    out.append(record.partition()).append('\t').append(record.offset()).append('\t')
                        .append(text(record.key())).append('\t').append(text(topic == null ? null : topic.value()))
                        .append('\n');
                }
            }
        }
        System.out.print(out);
    }

    private static String text(byte[] bytes) throws Exception {
        return bytes == null ? "-" : new String(bytes, "UTF-8");
    }
}
