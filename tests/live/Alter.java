import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.common.TopicPartition;

/** Submits one reassignment with Kafka's own client, because its command line tool refuses dead targets. */
public class Alter {
    public static void main(String[] args) throws Exception {
        Properties config = new Properties();
        config.put("bootstrap.servers", args[0]);
        TopicPartition partition = new TopicPartition(args[1], Integer.parseInt(args[2]));
        List<Integer> target = new ArrayList<>();
        for (String id : args[3].split(",")) target.add(Integer.parseInt(id));
        try (Admin admin = Admin.create(config)) {
            var asked = Map.of(partition, Optional.of(new NewPartitionReassignment(target)));
            try {
                admin.alterPartitionReassignments(asked).all().get();
                System.out.println("accepted");
            } catch (java.util.concurrent.ExecutionException refused) {
                System.out.println("refused: " + refused.getCause());
            }
        }
    }
}
