import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { NOBODYS } from '../../../src/platform/event-bus/bus.ts';
import { openKafkaBus } from '../../../src/platform/event-bus/kafka/kafka-bus.ts';
import { createLogger } from '../../../src/platform/telemetry/logger.ts';
import { kafka } from '../../support/kafka.ts';
import { until } from '../../support/until.ts';
import { kafkaBed } from './kafka-bed.ts';
import { busSuite } from './suite.ts';

kafka.describe('on Apache Kafka', () => {
  const bed = kafkaBed();
  busSuite(bed);

  test('two that call themselves the same say so, once each', async () => {
    const instanceId = randomUUID();
    const post = { consumer: `double.${randomUUID().slice(0, 8)}`, source: 'note' };
    const doubles = ['one', 'other'].map(() => {
      const said: string[] = [];
      const logger = createLogger('info', { write: (line: string) => void said.push(JSON.parse(line).msg) });
      const bus = openKafkaBus({ ...bed.settings(), instanceId }, logger);
      let joined = 0;
      const reader = bus.open(post, ['note.events'], NOBODYS);
      const join = async () => {
        if (!(await reader.holds())) joined += 1; // it does not hold what it had: the group has changed
      };
      return {
        said,
        join,
        joined: () => joined,
        close: async () => {
          await reader.close();
          await bus.close();
        },
      };
    });
    // Until each was pushed out twice, and came back.
    await until(
      'the two to push each other out',
      async () => {
        for (const { join } of doubles) await join();
        return doubles.every(({ joined, said }) => joined() >= 3 && said.length > 0);
      },
      60_000,
    );
    for (const { said } of doubles)
      expect(said).toEqual([
        expect.stringMatching(/another process has the same INSTANCE_ID.*give each copy one of its own/),
      ]);
    for (const { close } of doubles) await close();
  });
});
