import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListOffsetsResult;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.config.ConfigResource;

/**
 * Administer COMMAND[,COMMAND...] key=value...: one JSON line for each command, in order.
 * create:TOPIC:PARTITIONS[:REPLICAS] · cluster · topic:NAME · groups · quorum · offsets:TOPIC · committed:GROUP · elect
 * alter:TOPIC:KEY:VALUE · delete:TOPIC · delete-records:TOPIC:OFFSET (of partition 0, before the offset)
 */
public final class Administer {
    public static void main(String[] arguments) throws Exception {
        Properties configuration = Records.configuration(arguments, 1);
        configuration.putIfAbsent("default.api.timeout.ms", "30000");
        configuration.putIfAbsent("request.timeout.ms", "10000");
        try (Admin admin = Admin.create(configuration)) {
            for (String command : arguments[0].split(",")) {
                String[] word = command.split(":");
                System.out.println(run(admin, word));
            }
        }
    }

    private static String run(Admin admin, String[] word) throws Exception {
        switch (word[0]) {
            case "create":
                return create(admin, word);
            case "cluster":
                return "{\"controller\":" + node(admin.describeCluster().controller().get()) + ",\"nodes\":"
                    + nodes(admin.describeCluster().nodes().get()) + "}";
            case "topic":
                return topic(admin, word[1]);
            case "groups":
                List<String> groups = new ArrayList<>();
                admin.listGroups().all().get().forEach(group -> groups.add(Records.quote(group.groupId())));
                return "{\"groups\":[" + String.join(",", groups) + "]}";
            case "quorum":
                return "{\"leader\":" + admin.describeMetadataQuorum().quorumInfo().get().leaderId() + ",\"nodes\":"
                    + Records.quote(admin.describeMetadataQuorum().quorumInfo().get().nodes().toString()) + "}";
            case "offsets":
                return offsets(admin, word[1]);
            case "committed":
                long sum = admin.listConsumerGroupOffsets(word[1]).partitionsToOffsetAndMetadata().get().values()
                    .stream().mapToLong(offset -> offset.offset()).sum();
                return "{\"committed\":" + sum + "}";
            case "elect":
                // Every partition goes back to its preferred leader; those that are there already are no error.
                return "{\"elected\":" + admin.electLeaders(ElectionType.PREFERRED, null).partitions().get().values()
                    .stream().filter(error -> error.isEmpty()).count() + "}";
            case "alter":
                ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, word[1]);
                AlterConfigOp set = new AlterConfigOp(new ConfigEntry(word[2], word[3]), AlterConfigOp.OpType.SET);
                admin.incrementalAlterConfigs(Map.of(resource, List.of(set))).all().get();
                return "{\"altered\":" + Records.quote(word[1]) + "}";
            case "delete":
                admin.deleteTopics(List.of(word[1])).all().get();
                return "{\"deleted\":" + Records.quote(word[1]) + "}";
            case "delete-records":
                RecordsToDelete before = RecordsToDelete.beforeOffset(Long.parseLong(word[2]));
                admin.deleteRecords(Map.of(new TopicPartition(word[1], 0), before)).all().get();
                return "{\"deleted\":" + Records.quote(word[1]) + "}";
            default:
                throw new IllegalArgumentException(String.join(":", word));
        }
    }

    private static String create(Admin admin, String[] word) throws Exception {
        short replicas = word.length > 3 ? Short.parseShort(word[3]) : 1;
        NewTopic topic = new NewTopic(word[1], Integer.parseInt(word[2]), replicas);
        admin.createTopics(List.of(topic)).all().get();
        // A topic is there for clients only when every partition has its leader.
        for (int attempt = 0; attempt < 100; attempt++) {
            try {
                TopicDescription description = admin.describeTopics(List.of(word[1])).allTopicNames().get().get(word[1]);
                if (description.partitions().stream().allMatch(one -> one.leader() != null && !one.leader().isEmpty())) {
                    break;
                }
            } catch (ExecutionException notYet) {
                // Metadata has not reached this broker.
            }
            TimeUnit.MILLISECONDS.sleep(50);
        }
        return "{\"created\":" + Records.quote(word[1]) + "}";
    }

    private static String topic(Admin admin, String name) throws Exception {
        List<String> leaders = new ArrayList<>();
        for (TopicPartitionInfo partition
                : admin.describeTopics(List.of(name)).allTopicNames().get().get(name).partitions()) {
            leaders.add(node(partition.leader()));
        }
        return "{\"topic\":" + Records.quote(name) + ",\"leaders\":[" + String.join(",", leaders) + "]}";
    }

    private static String offsets(Admin admin, String name) throws Exception {
        Map<TopicPartition, OffsetSpec> wanted = new java.util.LinkedHashMap<>();
        for (TopicPartitionInfo partition
                : admin.describeTopics(List.of(name)).allTopicNames().get().get(name).partitions()) {
            wanted.put(new TopicPartition(name, partition.partition()), OffsetSpec.latest());
        }
        List<String> ends = new ArrayList<>();
        Map<TopicPartition, ListOffsetsResult.ListOffsetsResultInfo> found = admin.listOffsets(wanted).all().get();
        wanted.keySet().forEach(partition -> ends.add(Long.toString(found.get(partition).offset())));
        return "{\"topic\":" + Records.quote(name) + ",\"ends\":[" + String.join(",", ends) + "]}";
    }

    private static String nodes(Collection<Node> nodes) {
        return "[" + String.join(",", nodes.stream().map(Administer::node).toList()) + "]";
    }

    private static String node(Node node) {
        return "{\"id\":" + node.id() + ",\"host\":" + Records.quote(node.host()) + ",\"port\":" + node.port() + "}";
    }
}
