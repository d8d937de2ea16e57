import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * TransactNumbered NAME TOPIC PARTITIONS SCHEMA SEED BAD RATE FOLDER key=value...: the records of Numbered in transactions
 * of SIZE a partition, RATE transactions a second, until FOLDER/end appears or FOLDER is gone; once the first is committed it makes
 * FOLDER/NAME. Every fourth transaction is aborted; in every eighth all records are bad. Prints a line a transaction:
 * committed, aborted or unknown.
 */
public final class TransactNumbered {
    private static final int SIZE = 4;

    public static void main(String[] arguments) throws Exception {
        String name = arguments[0];
        String topic = arguments[1];
        int partitions = Integer.parseInt(arguments[2]);
        Numbered numbered =
            new Numbered(name, Integer.parseInt(arguments[3]), Integer.parseInt(arguments[4]), Integer.parseInt(arguments[5]));
        long pauseMs = 1000 / Long.parseLong(arguments[6]);
        Path end = Path.of(arguments[7], "end");
        Properties configuration = new Properties();
        configuration.put("linger.ms", "5");
        configuration.put("max.block.ms", "30000");
        configuration.put("transactional.id", name);
        configuration.putAll(Records.configuration(arguments, 8));
        try (Transactions transactions = new Transactions(configuration)) {
            for (int transaction = 0; Files.exists(end.getParent()) && !Files.exists(end); transaction++) {
                int first = transaction * SIZE;
                boolean allBad = transaction % 8 == 5;
                transactions.why = null;
                Transactions.Ending ending = transactions.run(producer -> {
                    for (int number = first; number < first + SIZE; number++) {
                        for (int partition = 0; partition < partitions; partition++) {
                            boolean bad = allBad || numbered.isBad(partition, number);
                            producer.send(new ProducerRecord<>(topic, partition, numbered.key(partition, number),
                                numbered.value(number, bad)));
                        }
                    }
                }, transaction % 4 != 3);
                System.out.println("{\"transaction\":" + transaction + ",\"ending\":\""
                    + ending.toString().toLowerCase() + "\",\"why\":" + Records.quote(transactions.why) + "}");
                if (transaction == 0) {
                    Path.of(arguments[7], name).toFile().mkdir();
                }
                Thread.sleep(pauseMs);
            }
        }
    }
}
