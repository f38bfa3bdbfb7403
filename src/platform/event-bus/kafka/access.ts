/** Who may do what on a broker that asks: each service what it needs, and operators what they look after. Pure. */

/** What is allowed to one principal on some topics or groups. */
export type Grant = {
  /** `User:…`, as the broker knows it. */
  readonly principal: string;
  readonly on: 'topic' | 'group';
  readonly names: readonly string[];
  /** Whether each name stands for all that begin with it. */
  readonly prefixed: boolean;
  readonly operations: readonly Operation[];
};
/** Whoever may read, or write, may also see that a topic is there. */
export type Operation = 'Read' | 'Write' | 'Create' | 'Delete' | 'Describe' | 'DescribeConfigs' | 'AlterConfigs';
export type Participant = {
  readonly service: string;
  readonly principal: string;
  /** Topics: what it says, and what it hears. */
  readonly says: readonly string[];
  readonly hears: readonly string[];
};

/**
 * A service writes its own topics and reads their end, to see that its store was not set back; it reads what it hears, as
 * groups by its own name. What is private to a service, only it and the operators read. Operators make and
 * empty topics, see how they are kept and how far everybody is, and bring a store back; they write no event.
 */
export const grantsOf = (
  services: readonly Participant[],
  operators: string,
  topics: readonly string[],
): readonly Grant[] => [
  ...services.flatMap(({ service, principal, says, hears }): Grant[] => [
    { principal, on: 'topic', names: says, prefixed: false, operations: ['Read', 'Write'] },
    ...(hears.length === 0
      ? []
      : [
          { principal, on: 'topic', names: hears, prefixed: false, operations: ['Read'] } as const,
          { principal, on: 'group', names: [`${service}.`], prefixed: true, operations: ['Read'] } as const,
        ]),
  ]),
  {
    principal: operators,
    on: 'topic',
    names: topics,
    prefixed: false,
    operations: ['Create', 'Delete', 'Read', 'DescribeConfigs', 'AlterConfigs'],
  },
  { principal: operators, on: 'group', names: ['*'], prefixed: false, operations: ['Describe'] },
];

/** The same as Kafka's own tool takes it. */
export const commandOf = ({ principal, on, names, prefixed, operations }: Grant): string =>
  [
    'kafka-acls.sh --bootstrap-server "$BROKER" --command-config admin.properties --add',
    `--allow-principal '${principal}'`,
    ...operations.map((operation) => `--operation ${operation}`),
    ...names.map((name) => `--${on} '${name}'`),
    ...(prefixed ? ['--resource-pattern-type prefixed'] : []),
  ].join(' ');
