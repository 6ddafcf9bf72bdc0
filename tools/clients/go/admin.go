package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

func (c *cluster) topics(ctx context.Context) error {
	topic, err := c.topic(ctx, "admin", 2, nil)
	if err != nil {
		return err
	}
	_, err = c.admin.CreateTopic(ctx, 1, 1, nil, topic)
	if err := failsWith(err, kerr.TopicAlreadyExists); err != nil {
		return err
	}
	grown, err := c.admin.UpdatePartitions(ctx, 5, topic)
	if err != nil {
		return err
	}
	if err := grown.Error(); err != nil {
		return err
	}
	count := func() int {
		listed, err := c.admin.ListTopics(ctx, topic)
		if err != nil {
			return -1
		}
		return len(listed[topic].Partitions)
	}
	if err := until(ctx, "five partitions", func() bool { return count() == 5 }); err != nil {
		return err
	}
	if _, err := c.admin.DeleteTopic(ctx, topic); err != nil {
		return err
	}
	if err := until(ctx, "the topic is gone", func() bool { return count() == 0 }); err != nil {
		return err
	}
	_, err = c.admin.DeleteTopic(ctx, topic)
	return failsWith(err, kerr.UnknownTopicOrPartition)
}

func (c *cluster) configs(ctx context.Context) error {
	retention := "3600000"
	topic, err := c.topic(ctx, "configs", 1, map[string]*string{"retention.ms": &retention})
	if err != nil {
		return err
	}
	read := func(key string) string {
		described, err := c.admin.DescribeTopicConfigs(ctx, topic)
		if err != nil || len(described) == 0 {
			return fmt.Sprint(err)
		}
		for _, config := range described[0].Configs {
			if config.Key == key {
				return config.MaybeValue() + " " + config.Source.String()
			}
		}
		return "missing"
	}
	if err := equal(read("retention.ms"), "3600000 DYNAMIC_TOPIC_CONFIG", "retention"); err != nil {
		return err
	}
	value := "compact"
	change := []kadm.AlterConfig{{Op: kadm.AppendConfig, Name: "cleanup.policy", Value: &value}, {Op: kadm.DeleteConfig, Name: "retention.ms"}}
	answers, err := c.admin.AlterTopicConfigs(ctx, change, topic)
	if err != nil {
		return err
	}
	if err := answers[0].Err; err != nil {
		return err
	}
	if err := until(ctx, "the policy is appended", func() bool { return strings.HasPrefix(read("cleanup.policy"), "delete,compact ") }); err != nil {
		return err
	}
	return equal(read("retention.ms"), "604800000 DEFAULT_CONFIG", "retention")
}

func (c *cluster) deletedRecords(ctx context.Context) error {
	topic, err := c.topic(ctx, "deleted", 1, nil)
	if err != nil {
		return err
	}
	if err := c.send(ctx, numbered(topic, 10)); err != nil {
		return err
	}
	var before kadm.Offsets
	before.AddOffset(topic, 0, 4, -1)
	answers, err := c.admin.DeleteRecords(ctx, before)
	if err != nil {
		return err
	}
	answer, _ := answers.Lookup(topic, 0)
	if err := equal(answer.LowWatermark, 4, "low watermark"); err != nil {
		return err
	}
	records, err := c.read(ctx, topic, 6)
	if err != nil {
		return err
	}
	return equal(records[0].Offset, 4, "first record")
}

func (c *cluster) versions(ctx context.Context) error {
	answers, err := c.admin.ApiVersions(ctx)
	if err != nil {
		return err
	}
	// A broker that lacks some APIs cannot be guessed as a whole; what it has must be a current Kafka's.
	kafka := kversion.V4_3_0()
	for _, answer := range answers {
		var old []string
		answer.EachKeySorted(func(key, _, highest int16) {
			known, exists := kafka.LookupMaxKeyVersion(key)
			if exists && highest < known {
				old = append(old, fmt.Sprintf("%s ends at %d, Kafka's at %d", kmsg.NameForKey(key), highest, known))
			}
		})
		if len(old) > 0 {
			return fmt.Errorf("%s", strings.Join(old, "; "))
		}
	}
	return equal(len(answers), 1, "brokers")
}
