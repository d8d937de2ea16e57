import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * HoldTransaction TOPIC commit|abort END key=value...: opens a transaction, sends one record to partition 0 and says
 * "open"; when a file END appears, at most a minute later, it ends the transaction as told, commits another one with one
 * record, and says so.
 */
public final class HoldTransaction {
    public static void main(String[] arguments) throws Exception {
        String topic = arguments[0];
        boolean commit = arguments[1].equals("commit");
        Path end = Path.of(arguments[2]);
        Properties configuration = Records.configuration(arguments, 3);
        configuration.put("max.block.ms", "30000");
        try (KafkaProducer<byte[], byte[]> producer =
                new KafkaProducer<>(configuration, new ByteArraySerializer(), new ByteArraySerializer())) {
            producer.initTransactions();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>(topic, 0, null, "held".getBytes())).get();
            System.out.println("{\"transaction\":\"open\"}");
            for (int tries = 0; tries < 1200 && !Files.exists(end); tries++) {
                TimeUnit.MILLISECONDS.sleep(50);
            }
            if (commit) {
                producer.commitTransaction();
            } else {
                producer.abortTransaction();
            }
            producer.beginTransaction();
            producer.send(new ProducerRecord<>(topic, 0, null, "next".getBytes())).get();
            producer.commitTransaction();
            System.out.println("{\"transaction\":\"" + arguments[1] + "\"}");
        }
    }
}
