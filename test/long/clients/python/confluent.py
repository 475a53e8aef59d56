"""confluent-kafka-python, which is librdkafka, as an application uses it."""
import threading
import time

import confluent_kafka as ck
from confluent_kafka.admin import AdminClient, NewTopic

import program
from program import decoded, encoded, fetch_token, headers_in, headers_out, refusal


def config(task, **more):
    auth = task["auth"]
    common = {
        "bootstrap.servers": task["bootstrap"],
        "client.id": task["clientId"],
        "ssl.ca.location": task["caFile"],
        "log_level": 6,
    }
    return {**common, **credentials(auth), **more}


def credentials(auth):
    if auth["kind"] == "mtls":
        return {
            "security.protocol": "SSL",
            "ssl.certificate.location": auth["certFile"],
            "ssl.key.location": auth["keyFile"],
        }
    if auth["kind"] == "plain":
        password = fetch_token(auth)[0]
        return {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "PLAIN",
            "sasl.username": "token",
            "sasl.password": password,
        }
    oauth = {"security.protocol": "SASL_SSL", "sasl.mechanism": "OAUTHBEARER"}
    if auth["kind"] == "callback":
        return {**oauth, "oauth_cb": lambda _config: fetch_token(auth)}
    return {
        **oauth,
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.client.id": auth["clientId"],
        "sasl.oauthbearer.client.secret": auth["clientSecret"],
        "sasl.oauthbearer.token.endpoint.url": auth["tokenUrl"],
    }


def consumer_config(task, group, **more):
    protocol = {"group.protocol": "consumer"} if task.get("groupProtocol") == "consumer" else {}
    return config(
        task,
        **{"group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False, **protocol, **more},
    )


def checked(message):
    """@raise KafkaException where the message is an error"""
    if message is not None and message.error() is not None:
        raise ck.KafkaException(message.error())
    return message


def received(message):
    return {
        "partition": message.partition(),
        "offset": message.offset(),
        "key": encoded(message.key()),
        "value": encoded(message.value()),
        "headers": headers_out(message.headers()),
    }


class Steps:
    def roundtrip(self, task):
        producer = ck.Producer(config(task))
        producer.poll(1)  # serves the callback that fetches the token
        for record in task["records"]:
            producer.produce(
                task["topic"], decoded(record["value"]), decoded(record["key"]), headers=headers_in(record)
            )
        producer.flush(30)
        if task["groupProtocol"] == "share":
            return self.share(task)
        consumer = ck.Consumer(consumer_config(task, task["group"]))
        consumer.subscribe([task["topic"]])
        answer = []
        deadline = program.deadline_of(task)
        while len(answer) < len(task["records"]) and time.monotonic() < deadline:
            message = checked(consumer.poll(0.5))
            if message is not None:
                answer.append(received(message))
        consumer.commit(asynchronous=False)
        consumer.close()
        return {"received": answer}

    def share(self, task):
        consumer = ck.ShareConsumer(config(task, **{"group.id": task["group"]}))
        consumer.subscribe([task["topic"]])
        answer = []
        deadline = program.deadline_of(task)
        while len(answer) < len(task["records"]) and time.monotonic() < deadline:
            answer += [received(checked(message)) for message in consumer.poll(0.5)]
        consumer.commit_sync(10.0)
        consumer.close()
        return {"received": answer}

    def denials(self, task):
        said = []
        producer = ck.Producer(config(task))
        producer.produce(task["deniedTopic"], b"x", on_delivery=lambda error, _message: said.append(error))
        producer.flush(30)
        share = task["groupProtocol"] == "share"
        read = self.shared_read if share else self.read
        return {
            "produce": str(said[0]) if said and said[0] is not None else "none",
            "consume": refusal(lambda: read(task, task["openGroup"], task["deniedTopic"])),
            "group": refusal(lambda: read(task, task["deniedGroup"], task["openTopic"])),
        }

    def read(self, task, group, topic):
        consumer = ck.Consumer(consumer_config(task, group))
        try:
            consumer.subscribe([topic])
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                checked(consumer.poll(0.5))
        finally:
            consumer.close()

    def shared_read(self, task, group, topic):
        consumer = ck.ShareConsumer(config(task, **{"group.id": group}))
        try:
            consumer.subscribe([topic])
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                for message in consumer.poll(0.5):
                    checked(message)
        finally:
            consumer.close()

    def steady(self, task):
        acknowledged, failures, answer = [], [], []
        stop = threading.Event()

        def consume():
            consumer = ck.Consumer(consumer_config(task, task["group"], **{"enable.auto.commit": True}))
            consumer.subscribe([task["topic"]])
            while not stop.is_set():
                message = consumer.poll(0.2)
                if message is None:
                    continue
                if message.error() is not None:
                    failures.append(f"consumer: {message.error()}")
                    continue
                value = message.value().decode()
                answer.append({"partition": message.partition(), "offset": message.offset(), "value": value})
            consumer.close()

        thread = threading.Thread(target=consume)
        thread.start()
        producer = ck.Producer(config(task, **{"enable.idempotence": True, "linger.ms": 5}))

        def send(index):
            def delivered(error, _message):
                if error is None:
                    acknowledged.append(index)
                else:
                    failures.append(f"{index}: {error}")

            producer.produce(task["topic"], str(index).encode(), str(index % 8).encode(), on_delivery=delivered)

        program.paced(task, send, producer.poll)
        producer.flush(20)
        deadline = time.monotonic() + 20
        while len(answer) < task["count"] and time.monotonic() < deadline:
            time.sleep(0.05)
        stop.set()
        thread.join(15)
        return {"acknowledged": acknowledged, "failures": failures, "received": answer}

    def copy(self, task):
        consumer = ck.Consumer(consumer_config(task, task["group"]))
        consumer.subscribe([task["from"]])
        producer = ck.Producer(config(task, **{"transactional.id": task["transactionalId"]}))
        producer.poll(1)
        producer.init_transactions(30)
        copied = aborted = transactions = 0
        idle_since = time.monotonic()
        while time.monotonic() - idle_since < 5:
            messages = [checked(message) for message in consumer.consume(task["batch"], 0.5)]
            if not messages:
                continue
            idle_since = time.monotonic()
            transactions += 1
            for commits in [False, True] if transactions % 3 == 0 else [True]:
                producer.begin_transaction()
                for message in messages:
                    producer.produce(task["to"], b"copy of " + message.value(), message.key())
                offsets = {}
                for message in messages:
                    offsets[message.partition()] = message.offset() + 1
                positions = [ck.TopicPartition(task["from"], part, offset) for part, offset in offsets.items()]
                producer.send_offsets_to_transaction(positions, consumer.consumer_group_metadata(), 30)
                if commits:
                    producer.commit_transaction(30)
                else:
                    producer.abort_transaction(30)
                    aborted += 1
            copied += len(messages)
        consumer.close()
        other = ck.Producer(config(task, **{"transactional.id": task["deniedTransactionalId"]}))
        other.poll(1)
        denied = refusal(lambda: other.init_transactions(20))
        return {"copied": copied, "aborted": aborted, "denied": denied}

    def administer(self, task):
        admin = AdminClient(config(task))
        admin.poll(1)
        created = refusal(lambda: settle(admin.create_topics([NewTopic(task["newTopic"], 1, 1)])))
        time.sleep(0.5)
        listed = list(admin.list_topics(timeout=20).topics)
        denied = refusal(lambda: settle(admin.create_topics([NewTopic(task["deniedTopic"], 1, 1)])))
        deleted = refusal(lambda: settle(admin.delete_topics([task["newTopic"]])))
        return {"listed": listed, "created": created == "none", "deleted": deleted == "none", "denied": denied}


def settle(futures):
    for future in futures.values():
        future.result(20)


program.main(Steps())
