import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.TopicPartition;

/**
 * Sends requests in order with Kafka's own client: COMMAND:TOPIC:PARTITION[:IDS]. Prints one line for each answer.
 * REQUEST = ANSWER asks again until that is the answer, for at most two minutes.
 */
public class Facts {
    public static void main(String[] args) throws Exception {
        Properties config = new Properties();
        config.put("bootstrap.servers", args[0]);
        try (Admin admin = Admin.create(config)) {
            for (String arg : Arrays.copyOfRange(args, 1, args.length)) {
                String[] wanted = arg.split(" = ", 2);
                String asked = wanted[0];
                String[] words = asked.split(":");
                if (words[0].equals("wait")) {
                    Thread.sleep(Long.parseLong(words[1]));
                    continue;
                }
                TopicPartition of = new TopicPartition(words[1], Integer.parseInt(words[2]));
                try {
                    String answer = answer(admin, words, of);
                    for (int looks = 0; wanted.length > 1 && !answer.equals(wanted[1]) && looks < 1200; looks++) {
                        Thread.sleep(100);
                        answer = answer(admin, words, of);
                    }
                    System.out.println(asked + " = " + answer);
                } catch (java.util.concurrent.ExecutionException refused) {
                    System.out.println(asked + " = refused: " + refused.getCause());
                }
            }
        }
    }

    static String answer(Admin admin, String[] words, TopicPartition of) throws Exception {
        switch (words[0]) {
            case "alter": {
                List<Integer> target = new ArrayList<>();
                for (String id : words[3].split(",")) target.add(Integer.parseInt(id));
                var asked = Map.of(of, Optional.of(new NewPartitionReassignment(target)));
                admin.alterPartitionReassignments(asked).all().get();
                return "accepted";
            }
            case "cancel": {
                Map<TopicPartition, Optional<NewPartitionReassignment>> asked = Map.of(of, Optional.empty());
                admin.alterPartitionReassignments(asked).all().get();
                return "accepted";
            }
            case "elect": {
                ElectionType type = ElectionType.valueOf(words[3]);
                var answer = admin.electLeaders(type, Set.of(of)).partitions().get().get(of);
                return answer.map(problem -> "refused: " + problem).orElse("elected");
            }
            case "list": {
                var running = admin.listPartitionReassignments().reassignments().get().get(of);
                if (running == null) return "idle";
                return "adding " + running.addingReplicas() + " removing " + running.removingReplicas();
            }
            case "settled": {
                while (!admin.listPartitionReassignments().reassignments().get().isEmpty()) Thread.sleep(250);
                return "settled";
            }
            case "records": {
                var last = admin.listOffsets(Map.of(of, OffsetSpec.latest())).all().get().get(of);
                return "" + last.offset();
            }
            case "show": {
                var topic = admin.describeTopics(List.of(of.topic())).allTopicNames().get().get(of.topic());
                var found = topic.partitions().get(of.partition());
                List<Integer> ids = new ArrayList<>();
                found.replicas().forEach(node -> ids.add(node.id()));
                return ids + " led by " + (found.leader() == null ? "nobody" : found.leader().id());
            }
            default:
                throw new IllegalArgumentException(words[0]);
        }
    }
}
