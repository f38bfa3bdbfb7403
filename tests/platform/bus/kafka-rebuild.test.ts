import { kafka } from '../../support/kafka.ts';
import { kafkaBed } from './kafka-bed.ts';
import { rebuildSuite } from './rebuild-suite.ts';

kafka.describe('from Apache Kafka', () => rebuildSuite(kafkaBed()));
