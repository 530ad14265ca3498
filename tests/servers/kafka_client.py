"""A client of Kafka that has nothing to do with weir, for its tests.

    kafka_client.py HOST:PORT

Each line of standard input is a request as JSON: `do` and what it needs, `topic` and `group` for the most part. Each is answered by a line of JSON: `{"done": …}`, or
`{"failed": "why"}`. It ends with its input.
"""

import json
import sys
import time

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AclBinding, AclBindingFilter, AclOperation, AclPermissionType, AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, ResourcePatternType, ResourceType, ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion

# A broker that is killed and comes back is found again at once.
CLUSTER = {"bootstrap.servers": sys.argv[1], "reconnect.backoff.max.ms": 200, "log_level": 0}
ADMIN = AdminClient(CLUSTER)
PRODUCER = Producer(CLUSTER | {"partitioner": "murmur2_random", "linger.ms": 2})
# For what is asked and not read: a consumer's questions make no topics.
ASKING = Consumer(CLUSTER | {"group.id": "asking", "isolation.level": "read_committed"})
# Sees what is not committed yet as well.
SEEING_ALL = Consumer(CLUSTER | {"group.id": "asking", "isolation.level": "read_uncommitted"})
WITHIN = 30


def wait_for(what, within=WITHIN):
    """Until it holds."""
    until = time.monotonic() + within
    while not what():
        if time.monotonic() > until:
            raise TimeoutError("it did not come about")
        time.sleep(0.02)


def answered(ask):
    """What the broker answers. One that has gone and come back may have ended the connection that it is asked by."""
    until = time.monotonic() + WITHIN
    while True:
        try:
            return ask()
        except KafkaException as error:
            if error.args[0].code() not in (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN) or time.monotonic() > until:
                raise
        time.sleep(0.02)


def partitions(topic):
    """The numbers of the partitions that there are. A topic that has just been made, or whose broker has just come back, may not be told at once."""
    until = time.monotonic() + WITHIN
    while True:
        metadata = answered(lambda: ASKING.list_topics(topic, WITHIN)).topics[topic]
        if metadata.error is None and all(of.leader >= 0 for of in metadata.partitions.values()):
            return sorted(metadata.partitions)
        if time.monotonic() > until:
            raise TimeoutError(f"{topic}: {metadata.error or 'it has no leader'}")
        time.sleep(0.02)


def wait_until_ready(within):
    """Until the broker answers."""
    wait_for(is_ready, within)


def is_ready():
    try:
        return len(ADMIN.list_topics(timeout=1).brokers) == 1
    except KafkaException:
        return False


def create(topic, partitions, **settings):
    """Makes a topic, which is there then."""
    ADMIN.create_topics([NewTopic(topic, partitions, 1, config=settings)])[topic].result(WITHIN)
    # Its leaders are chosen a moment later.
    wait_for(lambda: has_leaders(topic, partitions))


def has_leaders(topic, count):
    PRODUCER.list_topics(topic, WITHIN)
    metadata = ASKING.list_topics(topic, WITHIN).topics[topic]
    return len(metadata.partitions) == count and all(of.leader >= 0 for of in metadata.partitions.values())


def add_partitions(topic, partitions):
    """Gives a topic so many partitions altogether."""
    ADMIN.create_partitions([NewPartitions(topic, partitions)])[topic].result(WITHIN)
    wait_for(lambda: has_leaders(topic, partitions))


def topics():
    """The names of those that there are."""
    return sorted(ADMIN.list_topics(timeout=WITHIN).topics)


def settings(topic):
    """The settings of a topic, as texts."""
    asked = ConfigResource(ConfigResource.Type.TOPIC, topic)
    return {name: entry.value for name, entry in ADMIN.describe_configs([asked])[asked].result(WITHIN).items()}


def delete(topics):
    """Deletes topics, which are gone then."""
    for deleted in ADMIN.delete_topics(topics, operation_timeout=WITHIN).values():
        deleted.result(WITHIN)
    wait_for(lambda: not set(topics) & set(ADMIN.list_topics(timeout=WITHIN).topics))


def delete_records(topic, before):
    """Deletes what lies in front of an offset of each partition."""
    offsets = [TopicPartition(topic, partition, before) for partition in partitions(topic)]
    for deleted in ADMIN.delete_records(offsets).values():
        deleted.result(WITHIN)


def encoded(text):
    return None if text is None else text.encode()


def produce(topic, messages, producer=PRODUCER):
    """Writes messages: `value`, and `key`, `partition`, `timestamp`, `headers` where they matter."""
    failed = []
    for message in messages:
        more = {name: message[name] for name in ("partition", "timestamp") if name in message}
        headers = [(name, encoded(value)) for name, value in message.get("headers", [])]
        told = lambda error, _: error and failed.append(str(error))
        while True:
            try:
                producer.produce(topic, encoded(message.get("value")), encoded(message.get("key")), headers=headers or None, on_delivery=told, **more)
                break
            except BufferError:
                producer.poll(0.05)
        producer.poll(0)
    if producer.flush(WITHIN) or failed:
        raise RuntimeError(failed or "not delivered in time")


def takes(topic, messages):
    """Whether the topic takes each of these messages, written alone."""
    return [is_taken(topic, message) for message in messages]


def is_taken(topic, message):
    try:
        produce(topic, [message])
        return True
    except RuntimeError:
        return False


def alter(topic, **settings):
    """Gives a topic other settings."""
    entries = [ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in settings.items()]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    ADMIN.incremental_alter_configs([resource])[resource].result(WITHIN)


def transact(topic, messages, end):
    """Writes messages in a transaction, which is committed, aborted or left open; the number of one that is."""
    transacting = Producer(CLUSTER | {"transactional.id": f"of-tests-{time.time_ns()}", "linger.ms": 2})
    transacting.init_transactions(WITHIN)
    transacting.begin_transaction()
    produce(topic, messages, transacting)
    if end == "commit":
        transacting.commit_transaction(WITHIN)
    elif end == "abort":
        transacting.abort_transaction(WITHIN)
    else:
        OPEN.append(transacting)
        return len(OPEN) - 1


OPEN = []


def abort(number):
    """Aborts a transaction that was left open."""
    OPEN[number].abort_transaction(WITHIN)


def text(data):
    return None if data is None else data.decode("utf-8", "backslashreplace")


def document(message):
    kind, timestamp = message.timestamp()
    headers = [[name, text(value)] for name, value in message.headers() or []]
    value, key = text(message.value()), text(message.key())
    return {"partition": message.partition(), "key": key, "value": value, "timestamp": timestamp if kind else None, "headers": headers}


def end_of(consumer, topic, partition):
    """Where a partition ends for a consumer. A broker that has just come back may not know yet that it leads it."""
    until = time.monotonic() + WITHIN
    while True:
        try:
            return consumer.get_watermark_offsets(TopicPartition(topic, partition), WITHIN)[1]
        except KafkaException:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def committed(topic):
    """The committed messages, partition by partition and in order."""
    numbers = partitions(topic)
    # A transaction is committed before its partitions know of it: what was written until now is waited for.
    ends = {number: end_of(SEEING_ALL, topic, number) for number in numbers}
    wait_for(lambda: all(end_of(ASKING, topic, number) >= ends[number] for number in numbers))
    settings = {"group.id": "reading", "isolation.level": "read_committed", "enable.partition.eof": True, "auto.offset.reset": "earliest", "enable.auto.commit": False, "fetch.wait.max.ms": 10}
    consumer = Consumer(CLUSTER | settings)
    # An offset by its number: one that has to be asked for takes half a second.
    consumer.assign([TopicPartition(topic, number, 0) for number in numbers])
    found, ended = {number: [] for number in numbers}, set()
    while len(ended) < len(numbers):
        message = consumer.poll(WITHIN)
        if message is None:
            raise TimeoutError(f"{topic}: no end within {WITHIN} s")
        if message.error() is None:
            found[message.partition()].append(document(message))
        elif message.error().code() == KafkaError._PARTITION_EOF:
            ended.add(message.partition())
        else:
            raise RuntimeError(str(message.error()))
    consumer.close()
    return [message for number in numbers for message in found[number]]


def offsets(group, topic):
    """What a group has committed: a number for each partition, below zero where there is none."""
    asked = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, number) for number in partitions(topic)])
    found = ADMIN.list_consumer_group_offsets([asked])[group].result(WITHIN)
    return [of.offset for of in found.topic_partitions]


def commit(group, topic, offsets):
    """Commits for a group, whose members there are none of."""
    asked = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, number, offset) for number, offset in enumerate(offsets)])
    ADMIN.alter_consumer_group_offsets([asked])[group].result(WITHIN)


def scram(user, mechanism, password):
    """Gives a user a password for a mechanism of SCRAM, in place of the one before."""
    info = ScramCredentialInfo({"SCRAM-SHA-256": ScramMechanism.SCRAM_SHA_256, "SCRAM-SHA-512": ScramMechanism.SCRAM_SHA_512}[mechanism], 4096)
    for altered in ADMIN.alter_user_scram_credentials([UserScramCredentialUpsertion(user, info, password.encode())]).values():
        altered.result(WITHIN)


def acl(user, resource, name, operations, permission="ALLOW", pattern="LITERAL"):
    """Gives a user rights to a resource, or forbids them. Whoever is not named has none there from then on."""
    of = [AclBinding(ResourceType[resource], name, ResourcePatternType[pattern], f"User:{user}", "*", AclOperation[operation], AclPermissionType[permission]) for operation in operations]
    for made in ADMIN.create_acls(of).values():
        made.result(WITHIN)


def no_acl(resource, name, pattern="LITERAL"):
    """Takes back all that was said of rights to a resource."""
    of = AclBindingFilter(ResourceType[resource], name, ResourcePatternType[pattern], None, None, AclOperation.ANY, AclPermissionType.ANY)
    for deleted in ADMIN.delete_acls([of]).values():
        deleted.result(WITHIN)


DO = [acl, no_acl, scram, wait_until_ready, create, alter, add_partitions, topics, settings, delete, delete_records, produce, takes, transact, abort, committed, offsets, commit]


def answer(line):
    request = json.loads(line)
    try:
        return {"done": {of.__name__: of for of in DO}[request.pop("do")](**request)}
    except Exception as error:
        return {"failed": f"{type(error).__name__}: {error}"}


for line in sys.stdin:
    print(json.dumps(answer(line)), flush=True)
