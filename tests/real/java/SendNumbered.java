import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * SendNumbered NAME TOPIC PARTITIONS SCHEMA SEED BAD RATE FOLDER key=value...: sends the records of Numbered to each
 * partition, RATE a second, until FOLDER/end appears or FOLDER is gone; once the first is acknowledged it makes FOLDER/NAME. Prints a line
 * for every record that failed, one a partition with how many were sent, and one with the retries.
 */
public final class SendNumbered {
    private static final int TICK_MS = 10;

    public static void main(String[] arguments) throws Exception {
        String name = arguments[0];
        String topic = arguments[1];
        int partitions = Integer.parseInt(arguments[2]);
        Numbered numbered =
            new Numbered(name, Integer.parseInt(arguments[3]), Integer.parseInt(arguments[4]), Integer.parseInt(arguments[5]));
        double rate = Double.parseDouble(arguments[6]);
        Path end = Path.of(arguments[7], "end");
        Path started = Path.of(arguments[7], name);
        Properties configuration = new Properties();
        configuration.put("linger.ms", "5");
        configuration.put("max.block.ms", "120000");
        configuration.putAll(Records.configuration(arguments, 8));
        try (KafkaProducer<byte[], byte[]> producer =
                new KafkaProducer<>(configuration, new ByteArraySerializer(), new ByteArraySerializer())) {
            long sent = 0;
            double due = 0;
            while (Files.exists(end.getParent()) && !Files.exists(end)) {
                for (due += rate * TICK_MS / 1000; due >= 1; due--) {
                    int partition = (int) (sent % partitions);
                    int number = (int) (sent / partitions);
                    send(producer, new ProducerRecord<>(topic, partition, numbered.key(partition, number),
                        numbered.value(number, numbered.isBad(partition, number))), partition, number, sent == 0 ? started : null);
                    sent++;
                }
                TimeUnit.MILLISECONDS.sleep(TICK_MS);
            }
            producer.flush();
            double retries = producer.metrics().entrySet().stream()
                .filter(metric -> metric.getKey().name().equals("record-retry-total")
                    && metric.getKey().group().equals("producer-metrics"))
                .mapToDouble(metric -> (Double) metric.getValue().metricValue()).sum();
            for (int partition = 0; partition < partitions; partition++) {
                System.out.println("{\"partition\":" + partition + ",\"sent\":" + (sent + partitions - 1 - partition) / partitions + "}");
            }
            System.out.println("{\"retries\":" + (long) retries + "}");
        }
    }

    private static void send(KafkaProducer<byte[], byte[]> producer, ProducerRecord<byte[], byte[]> record, int partition,
            int number, Path started) {
        try {
            producer.send(record, (metadata, error) -> {
                if (error != null) {
                    failed(partition, number, error);
                } else if (started != null) {
                    started.toFile().mkdir();
                }
            });
        } catch (KafkaException error) {
            failed(partition, number, error);
        }
    }

    private static void failed(int partition, int number, Exception error) {
        System.out.println("{\"partition\":" + partition + ",\"failed\":" + number + ",\"why\":"
            + Records.quote(error.toString()) + "}");
    }
}
