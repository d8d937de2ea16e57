import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * CopyInTransactions FROM TO COUNT|until:END bootstrap.servers=...: consume-transform-produce, exactly once. Every poll's
 * records are copied in one transaction together with the group's offsets; the first is aborted once and done again, and
 * so is one that fails. Ends when COUNT records are copied, or all that there are once a file END appears. Prints how many
 * transactions were committed, aborted and failed, and the group's offsets at the end.
 */
public final class CopyInTransactions {
    private final Transactions transactions;
    private final KafkaConsumer<byte[], byte[]> consumer;
    private final String to;
    /** What the group has committed, as this program knows it. */
    private final Map<TopicPartition, OffsetAndMetadata> done = new HashMap<>();
    /** Records in transactions that are known to be committed; offsets also count the ends of others' transactions. */
    private long counted;
    private int committed;
    private int aborted;
    private int failed;

    private CopyInTransactions(Transactions transactions, KafkaConsumer<byte[], byte[]> consumer, String to) {
        this.transactions = transactions;
        this.consumer = consumer;
        this.to = to;
    }

    public static void main(String[] arguments) throws Exception {
        String from = arguments[0];
        Path end = arguments[2].startsWith("until:") ? Path.of(arguments[2].substring("until:".length())) : null;
        long wanted = end == null ? Long.parseLong(arguments[2]) : Long.MAX_VALUE;
        Properties reading = Records.configuration(arguments, 3);
        reading.put("group.id", "copy-" + from);
        reading.put("auto.offset.reset", "earliest");
        reading.put("enable.auto.commit", "false");
        reading.put("isolation.level", "read_committed");
        reading.put("max.poll.records", end == null ? "5" : "50");
        Properties writing = Records.configuration(arguments, 3);
        writing.put("transactional.id", "copy-" + from);
        writing.put("max.block.ms", "30000");
        long deadline = end == null ? System.nanoTime() + Duration.ofSeconds(40).toNanos() : Long.MAX_VALUE;
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(reading, new ByteArrayDeserializer(), new ByteArrayDeserializer());
            Transactions transactions = new Transactions(writing)) {
            CopyInTransactions copy = new CopyInTransactions(transactions, consumer, arguments[1]);
            consumer.subscribe(List.of(from));
            while (copy.counted < wanted && System.nanoTime() < deadline) {
                boolean ending = end != null && (Files.exists(end) || !Files.exists(end.getParent()));
                ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(500));
                if (!records.isEmpty()) {
                    copy.copy(records);
                } else if (ending && copy.isAtTheEnd()) {
                    break;
                }
            }
            long offsets = 0;
            for (OffsetAndMetadata offset : consumer.committed(consumer.assignment()).values()) {
                offsets += offset == null ? 0 : offset.offset();
            }
            long copied = end == null ? copy.counted : copy.copied();
            System.out.println("{\"copied\":" + copied + ",\"committed\":" + copy.committed + ",\"aborted\":"
                + copy.aborted + ",\"failed\":" + copy.failed + ",\"offsets\":" + offsets + "}");
        }
    }

    private void copy(ConsumerRecords<byte[], byte[]> records) {
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        boolean abort = aborted == 0;
        Transactions.Ending ending = transactions.run(producer -> {
            for (ConsumerRecord<byte[], byte[]> record : records) {
                TopicPartition partition = new TopicPartition(record.topic(), record.partition());
                producer.send(new ProducerRecord<>(to, record.partition(), record.timestamp(), record.key(),
                    record.value(), record.headers()));
                offsets.put(partition, new OffsetAndMetadata(record.offset() + 1));
            }
            producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
        }, !abort);
        if (ending == Transactions.Ending.COMMITTED) {
            committed++;
            counted += records.count();
            done.putAll(offsets);
        } else {
            if (abort) {
                aborted++;
            } else {
                failed++;
            }
            rewind();
        }
    }

    /** Back to what the group has committed, which says whether a transaction of unknown ending was. */
    private void rewind() {
        Map<TopicPartition, OffsetAndMetadata> known = null;
        while (known == null) {
            try {
                known = consumer.committed(consumer.assignment());
            } catch (KafkaException notYet) {
                System.err.println(notYet);
            }
        }
        known.forEach((partition, offset) -> {
            if (offset == null) {
                consumer.seekToBeginning(List.of(partition));
                done.remove(partition);
            } else {
                consumer.seek(partition, offset);
                done.put(partition, offset);
            }
        });
    }

    private long copied() {
        return done.values().stream().mapToLong(OffsetAndMetadata::offset).sum();
    }

    private boolean isAtTheEnd() {
        Map<TopicPartition, Long> ends = consumer.endOffsets(consumer.assignment());
        return !ends.isEmpty() && ends.entrySet().stream().allMatch(end ->
            end.getValue() == 0 || done.containsKey(end.getKey()) && done.get(end.getKey()).offset() >= end.getValue());
    }
}
