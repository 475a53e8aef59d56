"""kafka-python as an application uses it; the same program for 2.0 and for today's."""
import threading
import time

import kafka
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.structs import OffsetAndMetadata

import program
from program import decoded, encoded, fetch_token, headers_in, headers_out, refusal

OLD = kafka.__version__.startswith("2.0")

if OLD:
    from kafka.oauth import AbstractTokenProvider
else:
    from kafka.net.sasl.oauth import AbstractTokenProvider


class TokenProvider(AbstractTokenProvider):
    def __init__(self, auth):
        super().__init__()
        self.auth = auth

    def token(self):
        return fetch_token(self.auth)[0]


def config(task):
    return {
        "bootstrap_servers": task["bootstrap"],
        "client_id": task["clientId"],
        "ssl_cafile": task["caFile"],
        **credentials(task["auth"]),
    }


def credentials(auth):
    if auth["kind"] == "mtls":
        return {
            "security_protocol": "SSL",
            "ssl_certfile": auth["certFile"],
            "ssl_keyfile": auth["keyFile"],
        }
    if auth["kind"] == "plain":
        return {
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "PLAIN",
            "sasl_plain_username": "token",
            "sasl_plain_password": fetch_token(auth)[0],
        }
    return {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "OAUTHBEARER",
        "sasl_oauth_token_provider": TokenProvider(auth),
    }


def consumer_of(task, group, **more):
    given = {"group_id": group, "auto_offset_reset": "earliest", "enable_auto_commit": False, **more}
    return KafkaConsumer(**config(task), **given)


def subscribe(consumer, topic):
    # A consumer that learns of a topic while it joins its group may be assigned nothing and stay so, straight at a broker
    # too: kafka-python asks for fresh metadata before it joins only where it subscribes by pattern.
    consumer.partitions_for_topic(topic)
    consumer.subscribe([topic])


def records_of(polled):
    return [record for records in polled.values() for record in records]


class Steps:
    def roundtrip(self, task):
        producer = KafkaProducer(**config(task), acks="all", retries=5)
        sent = [
            producer.send(
                task["topic"], decoded(record["value"]), decoded(record["key"]), headers=headers_in(record)
            )
            for record in task["records"]
        ]
        for future in sent:
            future.get(30)
        producer.close()
        consumer = consumer_of(task, task["group"])
        subscribe(consumer, task["topic"])
        answer = []
        deadline = program.deadline_of(task)
        while len(answer) < len(task["records"]) and time.monotonic() < deadline:
            for record in records_of(consumer.poll(500)):
                answer.append(
                    {
                        "partition": record.partition,
                        "offset": record.offset,
                        "key": encoded(record.key),
                        "value": encoded(record.value),
                        "headers": headers_out(record.headers),
                    }
                )
        consumer.commit()
        consumer.close()
        return {"received": answer}

    def denials(self, task):
        # Of a topic that is denied it knows only where it asks for another one as well: alone, it waits in vain.
        producer = KafkaProducer(**config(task), max_block_ms=10_000)
        producer.partitions_for(task["openTopic"])
        produce = refusal(lambda: producer.send(task["deniedTopic"], b"x").get(20))
        return {
            "produce": produce,
            "consume": "unsupported" if OLD else refusal(lambda: self.read_denied(task)),
            "group": refusal(lambda: self.read(task, task["deniedGroup"], lambda one: one.subscribe([task["openTopic"]]))),
        }

    def read_denied(self, task):
        """What it learns of topics that it subscribes to is raised in a thread of its own, where nobody hears it."""
        partition = TopicPartition(task["deniedTopic"], 0)
        self.read(task, task["openGroup"], lambda consumer: consumer.assign([partition]))

    def read(self, task, group, begin):
        consumer = consumer_of(task, group)
        try:
            begin(consumer)
            deadline = time.monotonic() + 15
            while time.monotonic() < deadline:
                consumer.poll(500)
        finally:
            consumer.close(autocommit=False)

    def steady(self, task):
        acknowledged, failures, answer = [], [], []
        stop = threading.Event()

        def consume():
            consumer = consumer_of(task, task["group"], enable_auto_commit=True)
            subscribe(consumer, task["topic"])
            while not stop.is_set():
                for record in records_of(consumer.poll(200)):
                    value = record.value.decode()
                    answer.append({"partition": record.partition, "offset": record.offset, "value": value})
            consumer.close()

        def consume_or_say():
            try:
                consume()
            except Exception as error:
                failures.append(f"the consumer ended: {program.words_of(error)}")

        thread = threading.Thread(target=consume_or_say)
        thread.start()
        # 2.0 has no idempotent producer: one request at a time keeps the order when one is sent again.
        careful = {"max_in_flight_requests_per_connection": 1} if OLD else {}
        producer = KafkaProducer(**config(task), acks="all", retries=20, retry_backoff_ms=100, **careful)

        def send(index):
            future = producer.send(task["topic"], str(index).encode(), str(index % 8).encode())
            future.add_callback(lambda _metadata: acknowledged.append(index))
            future.add_errback(lambda error: failures.append(f"{index}: {program.words_of(error)}"))

        program.paced(task, send, time.sleep)
        producer.flush(20)
        deadline = time.monotonic() + 20
        while len(answer) < task["count"] and time.monotonic() < deadline:
            time.sleep(0.05)
        stop.set()
        thread.join(15)
        return {"acknowledged": acknowledged, "failures": failures, "received": answer}

    def copy(self, task):
        consumer = consumer_of(task, task["group"])
        subscribe(consumer, task["from"])
        producer = KafkaProducer(**config(task), transactional_id=task["transactionalId"])
        producer.init_transactions()
        copied = aborted = transactions = 0
        idle_since = time.monotonic()
        while time.monotonic() - idle_since < 5:
            records = records_of(consumer.poll(500, max_records=task["batch"]))
            if not records:
                continue
            idle_since = time.monotonic()
            transactions += 1
            for commits in [False, True] if transactions % 3 == 0 else [True]:
                producer.begin_transaction()
                for record in records:
                    producer.send(task["to"], b"copy of " + record.value, record.key)
                offsets = {}
                for record in records:
                    position = OffsetAndMetadata(record.offset + 1, "", -1)
                    offsets[TopicPartition(record.topic, record.partition)] = position
                producer.send_offsets_to_transaction(offsets, consumer.group_metadata())
                if commits:
                    producer.commit_transaction()
                else:
                    producer.abort_transaction()
                    aborted += 1
            copied += len(records)
        consumer.close()
        other = KafkaProducer(**config(task), transactional_id=task["deniedTransactionalId"])
        return {"copied": copied, "aborted": aborted, "denied": refusal(other.init_transactions)}

    def administer(self, task):
        admin = KafkaAdminClient(**config(task))
        created = refusal(lambda: create(admin, task["newTopic"]))
        time.sleep(0.5)
        listed = list(admin.list_topics())
        denied = refusal(lambda: create(admin, task["deniedTopic"]))
        deleted = refusal(lambda: admin.delete_topics([task["newTopic"]]))
        return {"listed": listed, "created": created == "none", "deleted": deleted == "none", "denied": denied}


def create(admin, topic):
    admin.create_topics([NewTopic(topic, 1, 1)])


program.main(Steps())
