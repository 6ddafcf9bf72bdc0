package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func (c *cluster) codec(ctx context.Context, name string, codec kgo.CompressionCodec) error {
	topic, err := c.topic(ctx, "codec-"+name, 1, nil)
	if err != nil {
		return err
	}
	if err := c.send(ctx, numbered(topic, 500), kgo.ProducerBatchCompression(codec), kgo.ProducerLinger(50*time.Millisecond)); err != nil {
		return err
	}
	records, err := c.read(ctx, topic, 500)
	if err != nil {
		return err
	}
	for index, record := range records {
		seen := fmt.Sprintf("%d %s %s", record.Offset, record.Key, record.Value)
		if err := equal(seen, fmt.Sprintf("%d key %d value %d", index, index, index), "record"); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) headers(ctx context.Context) error {
	topic, err := c.topic(ctx, "headers", 1, nil)
	if err != nil {
		return err
	}
	headers := []kgo.RecordHeader{{Key: "b", Value: []byte("1")}, {Key: "a", Value: []byte{}}, {Key: "b"}, {Key: "ü", Value: []byte("é")}}
	if err := c.send(ctx, []*kgo.Record{{Topic: topic, Value: []byte("v"), Headers: headers}}); err != nil {
		return err
	}
	records, err := c.read(ctx, topic, 1)
	if err != nil {
		return err
	}
	var seen strings.Builder
	for _, header := range records[0].Headers {
		fmt.Fprintf(&seen, "%s=%s null:%t;", header.Key, header.Value, header.Value == nil)
	}
	return equal(seen.String(), "b=1 null:false;a= null:false;b= null:true;ü=é null:false;", "headers")
}

func (c *cluster) nulls(ctx context.Context) error {
	topic, err := c.topic(ctx, "nulls", 1, nil)
	if err != nil {
		return err
	}
	sent := []*kgo.Record{{Topic: topic, Value: []byte("v")}, {Topic: topic, Key: []byte("k")}, {Topic: topic}}
	if err := c.send(ctx, sent); err != nil {
		return err
	}
	records, err := c.read(ctx, topic, 3)
	if err != nil {
		return err
	}
	seen := ""
	for _, record := range records {
		seen += fmt.Sprintf("%t/%t ", record.Key == nil, record.Value == nil)
	}
	return equal(seen, "true/false false/true true/true ", "which are null")
}

func (c *cluster) times(ctx context.Context) error {
	topic, err := c.topic(ctx, "times", 1, nil)
	if err != nil {
		return err
	}
	base := time.Now().Add(-100 * time.Second).Truncate(time.Millisecond)
	records := numbered(topic, 10)
	for index, record := range records {
		record.Timestamp = base.Add(time.Duration(index) * time.Second)
	}
	if err := c.send(ctx, records); err != nil {
		return err
	}
	read, err := c.read(ctx, topic, 10)
	if err != nil {
		return err
	}
	for index, record := range read {
		if err := equal(record.Timestamp.UnixMilli(), records[index].Timestamp.UnixMilli(), "timestamp"); err != nil {
			return err
		}
	}
	found, err := c.admin.ListOffsetsAfterMilli(ctx, base.UnixMilli()+4500, topic)
	if err != nil {
		return err
	}
	offset, _ := found.Lookup(topic, 0)
	return equal(offset.Offset, 5, "offset for a time")
}

func (c *cluster) appendTime(ctx context.Context) error {
	kind := "LogAppendTime"
	topic, err := c.topic(ctx, "append-time", 1, map[string]*string{"message.timestamp.type": &kind})
	if err != nil {
		return err
	}
	before := time.Now().UnixMilli()
	if err := c.send(ctx, []*kgo.Record{{Topic: topic, Value: []byte("v"), Timestamp: time.UnixMilli(1000)}}); err != nil {
		return err
	}
	records, err := c.read(ctx, topic, 1)
	if err != nil {
		return err
	}
	if when := records[0].Timestamp.UnixMilli(); when < before {
		return fmt.Errorf("time %d before %d", when, before)
	}
	return equal(records[0].Attrs.TimestampType(), 1, "kind of time")
}

func (c *cluster) acks(ctx context.Context) error {
	topic, err := c.topic(ctx, "acks", 1, nil)
	if err != nil {
		return err
	}
	for _, acks := range []kgo.Acks{kgo.NoAck(), kgo.LeaderAck(), kgo.AllISRAcks()} {
		if err := c.send(ctx, numbered(topic, 5), kgo.RequiredAcks(acks), kgo.DisableIdempotentWrite()); err != nil {
			return err
		}
	}
	records, err := c.read(ctx, topic, 15)
	if err != nil {
		return err
	}
	return equal(records[14].Offset, 14, "last offset")
}

func (c *cluster) tooLarge(ctx context.Context) error {
	limit := "10000"
	topic, err := c.topic(ctx, "too-large", 1, map[string]*string{"max.message.bytes": &limit})
	if err != nil {
		return err
	}
	large := &kgo.Record{Topic: topic, Value: []byte(strings.Repeat("x", 20_000))}
	return failsWith(c.send(ctx, []*kgo.Record{large}, kgo.ProducerBatchCompression(kgo.NoCompression())), kerr.MessageTooLarge)
}

func (c *cluster) autoCreated(ctx context.Context) error {
	topic := c.fresh("auto")
	if err := c.send(ctx, numbered(topic, 1), kgo.AllowAutoTopicCreation()); err != nil {
		return err
	}
	_, err := c.read(ctx, topic, 1)
	return err
}

func (c *cluster) seek(ctx context.Context) error {
	topic, err := c.topic(ctx, "seek", 1, nil)
	if err != nil {
		return err
	}
	if err := c.send(ctx, numbered(topic, 300), kgo.ProducerLinger(50*time.Millisecond)); err != nil {
		return err
	}
	for _, offset := range []int64{137, 0, 299, 1} {
		from := map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().At(offset)}}
		client, err := c.client(kgo.ConsumePartitions(from))
		if err != nil {
			return err
		}
		records, err := take(ctx, client, 1)
		client.Close()
		if err := errors.Join(err, equal(records[0].Offset, offset, "first offset")); err != nil {
			return err
		}
	}
	return nil
}
