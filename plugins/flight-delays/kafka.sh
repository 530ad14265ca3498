#!/bin/sh
# The flights through Kafka: starts a broker, fills the topic `flights`, runs kafka.toml, and shows what is in `delays` then.
#
#     plugins/flight-delays/kafka.sh
#
# The broker comes from Docker where that runs, else from Maven's jars (Java 17 or newer; 54 MB below target/, once), and ends with the script. PORT says where
# it listens (9092); WEIR names the command (else it is built, with the feature `kafka`).
set -eu
cd "$(dirname "$0")/../.."
PORT=${PORT:-9092} RELEASE=4.3.1
export BROKERS="localhost:$PORT"
jars="$PWD/target/kafka-server/jars"
say() { printf '\n== %s\n' "$*"; }

if [ "$PORT" = 9092 ] && docker info >/dev/null 2>&1; then
    # A project of its own: a broker that somebody has started from the same file is not this one's to end, and keeps the port.
    compose() { docker compose --project-name weir-flight-delays -f tests/servers/compose.yaml "$@"; }
    end() { compose rm --stop --force kafka >/dev/null 2>&1; }
    kafka() { tool=$1; shift; compose exec -T kafka "/opt/kafka/bin/kafka-$tool.sh" --bootstrap-server "$BROKERS" "$@"; }
    trap end EXIT
    trap 'exit 130' INT TERM
    say "starting a broker in Docker"
    compose up --detach --wait kafka
else
    class() {
        case $1 in topics) echo TopicCommand ;; console-consumer) echo consumer.ConsoleConsumer ;; esac
    }
    kafka() { tool=$1; shift; java -cp "$jars/*" "org.apache.kafka.tools.$(class "$tool")" --bootstrap-server "$BROKERS" "$@" 2>/dev/null; }
    folder=$(mktemp -d)
    end() { [ -z "${broker:-}" ] || kill "$broker" 2>/dev/null; wait; rm -rf "$folder"; }
    trap end EXIT
    trap 'exit 130' INT TERM
    if ! ls "$jars"/kafka_2.13-*.jar >/dev/null 2>&1; then
        say "fetching Kafka $RELEASE with Maven"
        dependency() { echo "<dependency><groupId>org.apache.kafka</groupId><artifactId>$1</artifactId><version>$RELEASE</version></dependency>"; }
        {
            echo '<project><modelVersion>4.0.0</modelVersion><groupId>weir</groupId><artifactId>kafka</artifactId><version>1</version><dependencies>'
            dependency kafka_2.13
            dependency kafka-tools
            echo '</dependencies></project>'
        } >"$folder/pom.xml"
        mvn -q -B -f "$folder/pom.xml" dependency:copy-dependencies -DincludeScope=runtime "-DoutputDirectory=$jars"
    fi
    say "starting a broker on $BROKERS"
    cat >"$folder/server.properties" <<EOF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@localhost:$((PORT + 1))
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://localhost:$PORT,CONTROLLER://localhost:$((PORT + 1))
advertised.listeners=PLAINTEXT://$BROKERS
log.dirs=$folder/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
EOF
    id=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=')
    java -cp "$jars/*" kafka.tools.StorageTool format -t "$id" -c "$folder/server.properties" >"$folder/log" 2>&1
    java -Xmx384m -cp "$jars/*" kafka.Kafka "$folder/server.properties" >>"$folder/log" 2>&1 &
    broker=$!
    tries=0
    # Whoever answers has to be the one that was started: another that has the port is somebody's.
    until answered=$(java -cp "$jars/*" org.apache.kafka.tools.ClusterTool cluster-id --bootstrap-server "$BROKERS" 2>/dev/null); do
        tries=$((tries + 1))
        if [ "$tries" -gt 20 ] || ! kill -0 "$broker" 2>/dev/null; then
            echo "the broker does not answer; it says:" >&2
            tail -n 5 "$folder/log" >&2
            exit 1
        fi
        sleep 1
    done
    case $answered in *"$id"*) ;; *)
        echo "somebody else's broker answers on $BROKERS: end it, or say another PORT" >&2
        exit 1
        ;;
    esac
fi

if [ -z "${WEIR:-}" ]; then
    say "building weir with Kafka"
    cargo build --release --package weir --features kafka
    WEIR=target/release/weir
fi
cargo build --quiet --release --target wasm32-unknown-unknown -p flight-delays
for topic in flights delays; do
    kafka topics --create --if-not-exists --topic "$topic" --partitions 4
done

# The server is a new one: what was kept of a run with the one before says nothing of it.
for job in flights-to-kafka flight-delays-kafka; do
    rm -rf "plugins/flight-delays/.weir/$job"
done

say "filling flights"
"$WEIR" run --fresh plugins/flight-delays/kafka-fill.toml
say "flights -> count and total of every aircraft -> delays"
"$WEIR" run --fresh plugins/flight-delays/kafka.toml
say "the last of delays, as Kafka's own consumer reads what is committed"
# It waits for more until its time is up, which may be when it has only just been let into its group.
kafka console-consumer --topic delays --from-beginning --timeout-ms 15000 --formatter-property print.key=true --formatter-property "key.separator=  " \
    --command-property isolation.level=read_committed >"${TMPDIR:-/tmp}/delays.$$" || true
tail -n 5 "${TMPDIR:-/tmp}/delays.$$"
count=$(grep -c tailnum "${TMPDIR:-/tmp}/delays.$$" || true)
echo "$count messages in delays"
rm "${TMPDIR:-/tmp}/delays.$$"
[ "$count" -gt 0 ]
