import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Produce FILE together|apart|until:END|commit|abort key=value...: sends the file's records and prints one line for
 * each. "together" lets batches fill until all are handed over; "apart" waits for each record; "until" as well, with a
 * pause between, and stops when a file END appears; "commit" and "abort" do as "together" in one transaction and print
 * one more line about how it ended.
 */
public final class Produce {
    public static void main(String[] arguments) throws Exception {
        List<ProducerRecord<byte[], byte[]>> records = Records.read(arguments[0]);
        String how = arguments[1];
        boolean transactional = how.equals("commit") || how.equals("abort");
        Properties configuration = new Properties();
        // Long enough for all records to be handed over before the first batch leaves; flush() ends the wait.
        boolean apart = how.equals("apart") || how.startsWith("until:");
        Path end = how.startsWith("until:") ? Path.of(how.substring("until:".length())) : null;
        configuration.put("linger.ms", apart ? "0" : "3000");
        configuration.put("batch.size", "1000000");
        configuration.put("delivery.timeout.ms", "30000");
        configuration.put("request.timeout.ms", "10000");
        configuration.put("max.block.ms", "30000");
        configuration.putAll(Records.configuration(arguments, 2));
        String[] outcomes = new String[records.size()];
        String ending = null;
        try (KafkaProducer<byte[], byte[]> producer =
                new KafkaProducer<>(configuration, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (ProducerRecord<byte[], byte[]> record : records) {
                // Metadata first, so that no record waits for it in the middle of a batch.
                producer.partitionsFor(record.topic());
            }
            if (transactional) {
                producer.initTransactions();
                producer.beginTransaction();
            }
            for (int index = 0; index < records.size() && (end == null || !Files.exists(end)); index++) {
                int at = index;
                try {
                    Future<RecordMetadata> sent = producer.send(records.get(index),
                        (metadata, error) -> outcomes[at] = Records.outcome(at, metadata, error));
                    if (apart) {
                        producer.flush();
                    }
                    if (end != null) {
                        TimeUnit.MILLISECONDS.sleep(2);
                    }
                } catch (KafkaException error) {
                    outcomes[at] = Records.outcome(at, null, error);
                }
            }
            producer.flush();
            if (transactional) {
                try {
                    if (how.equals("commit")) {
                        producer.commitTransaction();
                    } else {
                        producer.abortTransaction();
                    }
                    ending = "{\"transaction\":\"" + how + "\"}";
                } catch (KafkaException error) {
                    ending = "{\"transaction\":null,\"error\":" + Records.quote(error.getClass().getSimpleName())
                        + ",\"message\":" + Records.quote(error.getMessage()) + "}";
                    producer.abortTransaction();
                }
            }
        }
        for (String outcome : outcomes) {
            if (outcome != null || end == null) {
                System.out.println(outcome);
            }
        }
        if (ending != null) {
            System.out.println(ending);
        }
    }
}
