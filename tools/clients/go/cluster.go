package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// cluster is the broker under test: clients for it, and topics whose names no other case uses.
type cluster struct {
	bootstrap string
	admin     *kadm.Client
	run       string
	serial    int
}

func newCluster(bootstrap string) (*cluster, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		return nil, err
	}
	run := fmt.Sprintf("%x", time.Now().UnixMilli()&0xffffff)
	return &cluster{bootstrap: bootstrap, admin: kadm.NewClient(client), run: run}, nil
}

func (c *cluster) fresh(stem string) string {
	c.serial++
	return fmt.Sprintf("%s-%s-%d", stem, c.run, c.serial)
}

func (c *cluster) client(options ...kgo.Opt) (*kgo.Client, error) {
	base := []kgo.Opt{kgo.SeedBrokers(c.bootstrap), kgo.FetchMaxWait(500 * time.Millisecond)}
	return kgo.NewClient(append(base, options...)...)
}

func (c *cluster) topic(ctx context.Context, stem string, partitions int32, configs map[string]*string) (string, error) {
	name := c.fresh(stem)
	answer, err := c.admin.CreateTopic(ctx, partitions, 1, configs, name)
	if err == nil {
		err = answer.Err
	}
	if err != nil {
		return "", err
	}
	// Kafka answers before its partitions take records.
	return name, until(ctx, name+" takes records", func() bool {
		offsets, err := c.admin.ListEndOffsets(ctx, name)
		return err == nil && offsets.Error() == nil && len(offsets[name]) == int(partitions)
	})
}

// send produces all records and waits for the answers.
func (c *cluster) send(ctx context.Context, records []*kgo.Record, options ...kgo.Opt) error {
	client, err := c.client(options...)
	if err != nil {
		return err
	}
	defer client.Close()
	return client.ProduceSync(ctx, records...).FirstErr()
}

// read takes count records of partition 0 from its beginning.
func (c *cluster) read(ctx context.Context, topic string, count int, options ...kgo.Opt) ([]*kgo.Record, error) {
	from := map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}
	client, err := c.client(append(options, kgo.ConsumePartitions(from))...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return take(ctx, client, count)
}

// take polls until count records came.
func take(ctx context.Context, client *kgo.Client, count int) ([]*kgo.Record, error) {
	var records []*kgo.Record
	for len(records) < count {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return records, fmt.Errorf("after %d of %d records: %w", len(records), count, err)
		}
		records = append(records, fetches.Records()...)
	}
	return records, nil
}

func numbered(topic string, count int) []*kgo.Record {
	records := make([]*kgo.Record, count)
	for index := range records {
		key, value := fmt.Appendf(nil, "key %d", index), fmt.Appendf(nil, "value %d", index)
		records[index] = &kgo.Record{Topic: topic, Key: key, Value: value}
	}
	return records
}
