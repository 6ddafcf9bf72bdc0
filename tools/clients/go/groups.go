package main

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// member is one polling member of a group and the partitions its callbacks say it owns.
type member struct {
	client *kgo.Client
	mutex  sync.Mutex
	owned  map[int32]bool
}

func (c *cluster) member(group, topic string, balancer kgo.GroupBalancer) (*member, error) {
	m := &member{owned: map[int32]bool{}}
	change := func(owned bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
			m.mutex.Lock()
			defer m.mutex.Unlock()
			for _, partition := range partitions[topic] {
				if owned {
					m.owned[partition] = true
				} else {
					delete(m.owned, partition)
				}
			}
		}
	}
	client, err := c.client(kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.Balancers(balancer),
		kgo.HeartbeatInterval(300*time.Millisecond), kgo.OnPartitionsAssigned(change(true)),
		kgo.OnPartitionsRevoked(change(false)), kgo.OnPartitionsLost(change(false)))
	m.client = client
	return m, err
}

func settle(ctx context.Context, partitions int, members ...*member) error {
	return until(ctx, "every partition has one owner and every member a share", func() bool {
		seen, sum := map[int32]bool{}, 0
		for _, m := range members {
			poll, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
			m.client.PollFetches(poll)
			cancel()
			m.mutex.Lock()
			if len(m.owned) == 0 {
				sum = -partitions
			}
			sum += len(m.owned)
			for partition := range m.owned {
				seen[partition] = true
			}
			m.mutex.Unlock()
		}
		return sum == partitions && len(seen) == partitions
	})
}

func (c *cluster) cooperative(ctx context.Context) error {
	return c.shared(ctx, kgo.CooperativeStickyBalancer())
}

func (c *cluster) eager(ctx context.Context) error {
	return c.shared(ctx, kgo.RangeBalancer())
}

func (c *cluster) shared(ctx context.Context, balancer kgo.GroupBalancer) error {
	topic, err := c.topic(ctx, "group", 13, nil)
	if err != nil {
		return err
	}
	group := c.fresh("g")
	var members []*member
	for range 3 {
		m, err := c.member(group, topic, balancer)
		if err != nil {
			return err
		}
		defer m.client.Close()
		members = append(members, m)
	}
	if err := settle(ctx, 13, members...); err != nil {
		return err
	}
	members[2].client.Close()
	return settle(ctx, 13, members[:2]...)
}

func (c *cluster) commits(ctx context.Context) error {
	topic, err := c.topic(ctx, "commits", 1, nil)
	if err != nil {
		return err
	}
	if err := c.send(ctx, numbered(topic, 10)); err != nil {
		return err
	}
	group := c.fresh("g")
	first, err := c.client(kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	records, err := take(ctx, first, 10)
	if err == nil {
		err = first.CommitRecords(ctx, records[3])
	}
	first.Close()
	if err != nil {
		return err
	}
	second, err := c.client(kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic))
	if err != nil {
		return err
	}
	defer second.Close()
	records, err = take(ctx, second, 6)
	if err != nil {
		return err
	}
	return equal(records[0].Offset, 4, "first offset of the second reader")
}

func (c *cluster) groups(ctx context.Context) error {
	topic, err := c.topic(ctx, "groups", 1, nil)
	if err != nil {
		return err
	}
	if err := c.send(ctx, numbered(topic, 3)); err != nil {
		return err
	}
	group := c.fresh("g")
	client, err := c.client(kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit())
	if err != nil {
		return err
	}
	defer client.Close()
	if _, err := take(ctx, client, 3); err != nil {
		return err
	}
	if err := client.CommitUncommittedOffsets(ctx); err != nil {
		return err
	}
	described, err := c.admin.DescribeGroups(ctx, group)
	if err != nil {
		return err
	}
	if err := equal(described[group].State, "Stable", "state"); err != nil {
		return err
	}
	answers, err := c.admin.DeleteGroups(ctx, group)
	if err != nil {
		return err
	}
	if err := failsWith(answers[group].Err, kerr.NonEmptyGroup); err != nil {
		return err
	}
	client.Close()
	offsets, err := c.admin.FetchOffsets(ctx, group)
	if err != nil {
		return err
	}
	if err := equal(offsets[topic][0].At, 3, "offset as the admin sees it"); err != nil {
		return err
	}
	var change kadm.Offsets
	change.AddOffset(topic, 0, 1, -1)
	if err := c.admin.CommitAllOffsets(ctx, group, change); err != nil {
		return err
	}
	lag, err := c.admin.Lag(ctx, group)
	if err != nil {
		return err
	}
	if err := equal(lag[group].Lag.Total(), 2, "lag"); err != nil {
		return err
	}
	_, err = c.admin.DeleteGroup(ctx, group)
	return err
}
