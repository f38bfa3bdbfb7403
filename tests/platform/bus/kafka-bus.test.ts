import { kafka } from '../../support/kafka.ts';
import { kafkaBed } from './kafka-bed.ts';
import { busSuite } from './suite.ts';

kafka.describe('on Apache Kafka', () => busSuite(kafkaBed()));
