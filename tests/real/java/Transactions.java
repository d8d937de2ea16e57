import java.time.Duration;
import java.util.Properties;
import java.util.function.Consumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** A transactional producer that survives what goes wrong: it aborts what fails, and starts anew after what is fatal. */
final class Transactions implements AutoCloseable {
    private static final int TRIES = 20;

    enum Ending { COMMITTED, ABORTED, UNKNOWN }

    private final Properties configuration;
    private KafkaProducer<byte[], byte[]> producer;
    /** What the last transaction that did not end as wanted was refused with. */
    String why;

    Transactions(Properties configuration) {
        this.configuration = configuration;
        start();
    }

    /** Runs one transaction. Whoever has had UNKNOWN can go on: nothing of it is pending any more. */
    Ending run(Consumer<KafkaProducer<byte[], byte[]>> work, boolean commit) {
        boolean committing = false;
        try {
            producer.beginTransaction();
            work.accept(producer);
            producer.flush();
            committing = commit;
            if (commit) {
                patiently(producer::commitTransaction);
                return Ending.COMMITTED;
            }
            patiently(producer::abortTransaction);
            return Ending.ABORTED;
        } catch (KafkaException error) {
            why = error.toString();
            System.err.println(error);
        }
        try {
            // After a fatal error this throws as well.
            patiently(producer::abortTransaction);
            return Ending.ABORTED;
        } catch (KafkaException | IllegalStateException fatal) {
            System.err.println(fatal);
            producer.close(Duration.ZERO);
            start();
            return committing ? Ending.UNKNOWN : Ending.ABORTED;
        }
    }

    @Override
    public void close() {
        producer.close();
    }

    private void start() {
        producer = new KafkaProducer<>(configuration, new ByteArraySerializer(), new ByteArraySerializer());
        patiently(producer::initTransactions);
    }

    /** What has timed out may be asked again. */
    private static void patiently(Runnable action) {
        for (int attempt = 1;; attempt++) {
            try {
                action.run();
                return;
            } catch (TimeoutException error) {
                if (attempt == TRIES) {
                    throw error;
                }
            }
        }
    }
}
