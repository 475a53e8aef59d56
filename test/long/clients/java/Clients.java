import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Java's producer, consumers and admin as an application uses them. */
public final class Clients {
  private static final Duration POLL = Duration.ofMillis(300);

  public static void main(String[] args) throws Exception {
    JsonNode task = Program.readTask(args);
    ObjectNode answer = switch (task.get("step").asText()) {
      case "roundtrip" -> roundTrip(task);
      case "denials" -> denials(task);
      case "steady" -> steady(task);
      case "copy" -> copy(task);
      case "administer" -> administer(task);
      default -> throw new IllegalArgumentException("not a step of this program");
    };
    Program.answer(answer);
  }

  private static KafkaProducer<byte[], byte[]> producer(JsonNode task, Map<String, Object> more) {
    Properties properties = Program.client(task);
    properties.put("linger.ms", 5);
    properties.putAll(more);
    return new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
  }

  private static Properties reading(JsonNode task, String group) {
    Properties properties = Program.client(task);
    properties.put("group.id", group);
    return properties;
  }

  private static KafkaConsumer<byte[], byte[]> consumer(JsonNode task, String group, Map<String, Object> more) {
    Properties properties = reading(task, group);
    properties.put("auto.offset.reset", "earliest");
    properties.put("enable.auto.commit", false);
    if (task.path("groupProtocol").asText().equals("consumer")) properties.put("group.protocol", "consumer");
    properties.putAll(more);
    return new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  private static long deadline(JsonNode task) {
    return System.currentTimeMillis() + task.get("timeoutMs").asLong();
  }

  private static ObjectNode roundTrip(JsonNode task) throws Exception {
    String topic = task.get("topic").asText();
    JsonNode records = task.get("records");
    try (KafkaProducer<byte[], byte[]> producer = producer(task, Map.of())) {
      List<Future<RecordMetadata>> sent = new ArrayList<>();
      for (JsonNode one : records) {
        ProducerRecord<byte[], byte[]> record =
            new ProducerRecord<>(topic, Program.decoded(one.get("key")), Program.decoded(one.get("value")));
        for (JsonNode header : one.get("headers"))
          record.headers().add(header.get(0).asText(), Program.decoded(header.get(1)));
        sent.add(producer.send(record));
      }
      for (Future<RecordMetadata> one : sent) one.get();
    }
    ObjectNode answer = Program.JSON.createObjectNode();
    ArrayNode received = answer.putArray("received");
    if (task.get("groupProtocol").asText().equals("share")) share(task, topic, records.size(), received);
    else consume(task, topic, records.size(), received);
    return answer;
  }

  private static void consume(JsonNode task, String topic, int count, ArrayNode received) {
    try (KafkaConsumer<byte[], byte[]> consumer = consumer(task, task.get("group").asText(), Map.of())) {
      consumer.subscribe(List.of(topic));
      for (long end = deadline(task); received.size() < count && System.currentTimeMillis() < end;)
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) received.add(Program.received(record));
      consumer.commitSync();
    }
  }

  private static KafkaShareConsumer<byte[], byte[]> shareConsumer(JsonNode task, String group) {
    return new KafkaShareConsumer<>(reading(task, group), new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  private static void share(JsonNode task, String topic, int count, ArrayNode received) {
    try (KafkaShareConsumer<byte[], byte[]> consumer = shareConsumer(task, task.get("group").asText())) {
      consumer.subscribe(List.of(topic));
      for (long end = deadline(task); received.size() < count && System.currentTimeMillis() < end;)
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) received.add(Program.received(record));
      consumer.commitSync();
    }
  }

  private static ObjectNode denials(JsonNode task) {
    String shut = task.get("deniedTopic").asText();
    String open = task.get("openTopic").asText();
    boolean share = task.get("groupProtocol").asText().equals("share");
    ObjectNode answer = Program.JSON.createObjectNode();
    try (KafkaProducer<byte[], byte[]> producer = producer(task, Map.of())) {
      answer.put("produce", Program.refusal(() -> producer.send(new ProducerRecord<>(shut, new byte[] {1})).get()));
    }
    String openGroup = task.get("openGroup").asText();
    String shutGroup = task.get("deniedGroup").asText();
    answer.put("consume", Program.refusal(() -> tryToRead(task, openGroup, shut, share)));
    answer.put("group", Program.refusal(() -> tryToRead(task, shutGroup, open, share)));
    return answer;
  }

  private static void tryToRead(JsonNode task, String group, String topic, boolean share) {
    long end = System.currentTimeMillis() + 20_000;
    if (share) {
      try (KafkaShareConsumer<byte[], byte[]> consumer = shareConsumer(task, group)) {
        consumer.subscribe(List.of(topic));
        while (System.currentTimeMillis() < end) consumer.poll(POLL);
      }
      return;
    }
    try (KafkaConsumer<byte[], byte[]> consumer = consumer(task, group, Map.of())) {
      consumer.subscribe(List.of(topic));
      while (System.currentTimeMillis() < end) consumer.poll(POLL);
    }
  }

  private static ObjectNode steady(JsonNode task) throws Exception {
    int count = task.get("count").asInt();
    String topic = task.get("topic").asText();
    List<Integer> acknowledged = Collections.synchronizedList(new ArrayList<>());
    List<String> failures = Collections.synchronizedList(new ArrayList<>());
    ObjectNode answer = Program.JSON.createObjectNode();
    ArrayNode received = answer.putArray("received");
    long end = deadline(task);
    Thread reader = new Thread(() -> follow(task, count, end, received, failures));
    reader.start();
    try (KafkaProducer<byte[], byte[]> producer = producer(task, Map.of())) {
      long begun = System.currentTimeMillis();
      for (int index = 0; index < count; index++) {
        int own = index;
        Thread.sleep(Math.max(0, begun + (long) index * task.get("intervalMs").asInt() - System.currentTimeMillis()));
        producer.send(new ProducerRecord<>(topic, text(index % 8), text(index)), (metadata, error) -> {
          if (error == null) acknowledged.add(own);
          else failures.add(own + ": " + error);
        });
      }
    }
    reader.join();
    answer.set("acknowledged", Program.JSON.valueToTree(acknowledged));
    answer.set("failures", Program.JSON.valueToTree(failures));
    return answer;
  }

  private static void follow(JsonNode task, int count, long end, ArrayNode received, List<String> failures) {
    Map<String, Object> commits = Map.of("enable.auto.commit", true, "auto.commit.interval.ms", 1000);
    try (KafkaConsumer<byte[], byte[]> consumer = consumer(task, task.get("group").asText(), commits)) {
      consumer.subscribe(List.of(task.get("topic").asText()));
      while (received.size() < count && System.currentTimeMillis() < end)
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL))
          received.addObject().put("partition", record.partition()).put("offset", record.offset())
              .put("value", new String(record.value(), StandardCharsets.UTF_8));
    } catch (Exception error) {
      failures.add("consumer: " + error);
    }
  }

  private static byte[] text(int number) {
    return Integer.toString(number).getBytes(StandardCharsets.UTF_8);
  }

  /** Until the committed offsets are at the end of the topic; a second run goes on where a killed one was. */
  private static ObjectNode copy(JsonNode task) throws Exception {
    String to = task.get("to").asText();
    int copied = 0;
    int aborted = 0;
    Map<String, Object> transactional = Map.of("transactional.id", task.get("transactionalId").asText());
    // One that is killed must not keep its partitions for long.
    Map<String, Object> inBatches = Map.of("max.poll.records", task.get("batch").asInt(), "isolation.level",
        "read_committed", "session.timeout.ms", 6000, "heartbeat.interval.ms", 1500);
    try (KafkaProducer<byte[], byte[]> producer = producer(task, transactional);
        KafkaConsumer<byte[], byte[]> consumer = consumer(task, task.get("group").asText(), inBatches)) {
      producer.initTransactions();
      consumer.subscribe(List.of(task.get("from").asText()));
      long end = deadline(task);
      for (int transactions = 1; System.currentTimeMillis() < end && !done(consumer, task.get("from").asText());) {
        ConsumerRecords<byte[], byte[]> records = consumer.poll(POLL);
        if (records.isEmpty()) continue;
        for (boolean commits : transactions++ % 3 == 0 ? new boolean[] {false, true} : new boolean[] {true}) {
          producer.beginTransaction();
          Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
          for (ConsumerRecord<byte[], byte[]> record : records) {
            producer.send(new ProducerRecord<>(to, record.key(), copyOf(record.value())));
            offsets.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1));
          }
          producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
          if (commits) producer.commitTransaction();
          else producer.abortTransaction();
          aborted += commits ? 0 : 1;
        }
        copied += records.count();
      }
    }
    String denied;
    Map<String, Object> shut = Map.of("transactional.id", task.get("deniedTransactionalId").asText());
    try (KafkaProducer<byte[], byte[]> producer = producer(task, shut)) {
      denied = Program.refusal(producer::initTransactions);
    }
    return Program.JSON.createObjectNode().put("copied", copied).put("aborted", aborted).put("denied", denied);
  }

  private static byte[] copyOf(byte[] value) {
    return ("copy of " + new String(value, StandardCharsets.UTF_8)).getBytes(StandardCharsets.UTF_8);
  }

  private static boolean done(KafkaConsumer<byte[], byte[]> consumer, String topic) {
    List<TopicPartition> partitions =
        consumer.partitionsFor(topic).stream().map(one -> new TopicPartition(topic, one.partition())).toList();
    Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(new HashSet<>(partitions));
    return consumer.endOffsets(partitions).entrySet().stream().allMatch(end -> {
      OffsetAndMetadata at = committed.get(end.getKey());
      return end.getValue() == 0 || (at != null && at.offset() >= end.getValue());
    });
  }

  private static ObjectNode administer(JsonNode task) throws Exception {
    String made = task.get("newTopic").asText();
    String shut = task.get("deniedTopic").asText();
    ObjectNode answer = Program.JSON.createObjectNode();
    try (Admin admin = Admin.create(Program.client(task))) {
      admin.createTopics(List.of(new NewTopic(made, 1, (short) 1))).all().get();
      answer.set("listed", Program.JSON.valueToTree(admin.listTopics().names().get()));
      answer.put("created", admin.describeTopics(List.of(made)).allTopicNames().get().containsKey(made));
      answer.put("denied", Program.refusal(
          () -> admin.createTopics(List.of(new NewTopic(shut, 1, (short) 1))).all().get()));
      admin.deleteTopics(List.of(made)).all().get();
      answer.put("deleted", !admin.listTopics().names().get().contains(made));
    }
    return answer;
  }
}
