// Command clients runs franz-go against a broker: go run . --bootstrap HOST:PORT [--case PART_OF_A_NAME]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	bootstrap := flag.String("bootstrap", "127.0.0.1:9092", "HOST:PORT of the broker")
	only := flag.String("case", "", "run only the cases whose name contains this")
	flag.Parse()
	c, err := newCluster(*bootstrap)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	s := &suite{only: *only}
	codecs := []struct {
		name  string
		codec kgo.CompressionCodec
	}{
		{"none", kgo.NoCompression()},
		{"gzip", kgo.GzipCompression()},
		{"snappy", kgo.SnappyCompression()},
		{"lz4", kgo.Lz4Compression()},
		{"zstd", kgo.ZstdCompression()},
	}
	for _, entry := range codecs {
		s.run("franz-go: "+entry.name+" batches come back record by record", func(ctx context.Context) error {
			return c.codec(ctx, entry.name, entry.codec)
		})
	}
	s.run("franz-go: headers keep their order, repeats and nulls", c.headers)
	s.run("franz-go: null keys and values", c.nulls)
	s.run("franz-go: timestamps, and offsets for them", c.times)
	s.run("franz-go: append time is the broker's", c.appendTime)
	s.run("franz-go: every acks level", c.acks)
	s.run("franz-go: a record above the limit is refused", c.tooLarge)
	s.run("franz-go: a topic is created by its first record", c.autoCreated)
	s.run("franz-go: reading starts exactly where it is told", c.seek)
	s.run("franz-go: members share and hand over, cooperative", c.cooperative)
	s.run("franz-go: members share and hand over, eager", c.eager)
	s.run("franz-go: a reader goes on where the last committed", c.commits)
	s.run("franz-go: admin of topics", c.topics)
	s.run("franz-go: admin of configs", c.configs)
	s.run("franz-go: admin of groups", c.groups)
	s.run("franz-go: deleted records", c.deletedRecords)
	s.run("franz-go: the broker's versions are those of a Kafka", c.versions)
	fmt.Printf("%d passed, %d failed\n", s.passed, s.failed)
	if s.failed > 0 {
		os.Exit(1)
	}
}
