/** Over the producer's own store. */
import { openLogBus } from '../../../src/platform/event-bus/log-bus.ts';
import { SCHEMA } from '../notes.ts';
import { busBed } from './bed.ts';

export const logBed = () =>
  busBed((producer, address) =>
    openLogBus({ note: { address, schema: SCHEMA, committed: producer.committed } }, 'test bus'),
  );
