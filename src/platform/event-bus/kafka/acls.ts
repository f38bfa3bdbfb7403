/** The rights on a broker, made what they shall be: what lacks is granted, and what these principals have beyond is not. */
import {
  AclOperations,
  AclPermissionTypes,
  Admin,
  type CreateAclsOptions,
  ResourcePatternTypes,
  ResourceTypes,
} from '@platformatic/kafka';
import type { Grant, Operation } from './access.ts';
import { asked, clientOptions, isProtocolError, type KafkaSettings } from './client.ts';

export type AclOutcome = {
  readonly principal: string;
  /** So many rights each. */
  readonly granted: number;
  readonly kept: number;
  readonly takenAway: number;
};
type Acl = CreateAclsOptions['creations'][number];

/** Twice is once. What is denied stays denied. Rejects with BrokerUnavailable, or where the broker asks nobody who they are. */
export const applyGrants = async (
  settings: KafkaSettings,
  grants: readonly Grant[],
): Promise<readonly AclOutcome[]> => {
  const admin = new Admin(clientOptions(settings, 'taskwire-acls'));
  try {
    const outcomes: AclOutcome[] = [];
    for (const [principal, theirs] of Map.groupBy(grants, (grant) => grant.principal))
      outcomes.push(await settle(admin, principal, theirs.flatMap(aclsOf)));
    return outcomes;
  } finally {
    await admin.close().catch(() => undefined); // all that was asked is answered
  }
};

const settle = async (admin: Admin, principal: string, wanted: readonly Acl[]): Promise<AclOutcome> => {
  const there = await allowedTo(admin, principal);
  const [names, known] = [new Set(wanted.map(nameOf)), new Set(there.map(nameOf))];
  const lacking = wanted.filter((acl) => !known.has(nameOf(acl)));
  const beyond = there.filter((acl) => !names.has(nameOf(acl)));
  if (lacking.length > 0) await asked(admin.createAcls({ creations: lacking }));
  if (beyond.length > 0) await asked(admin.deleteAcls({ filters: beyond }));
  return { principal, granted: lacking.length, kept: wanted.length - lacking.length, takenAway: beyond.length };
};

const allowedTo = async (admin: Admin, principal: string): Promise<readonly Acl[]> => {
  const { ANY } = ResourceTypes;
  const filter = {
    resourceType: ANY,
    resourceName: null,
    resourcePatternType: ResourcePatternTypes.ANY,
    principal,
    host: null,
    operation: AclOperations.ANY,
    permissionType: AclPermissionTypes.ALLOW,
  };
  try {
    const resources = await admin.describeAcls({ filter });
    return resources.flatMap(({ acls, ...target }) => acls.map((acl) => ({ ...target, ...acl })));
  } catch (error) {
    if (isProtocolError(error, 'SECURITY_DISABLED'))
      throw new Error('this broker lets everybody do everything: it has no authorizer.class.name', { cause: error });
    return asked(Promise.reject(error));
  }
};

const OPERATIONS: Readonly<Record<Operation, Acl['operation']>> = {
  Read: AclOperations.READ,
  Write: AclOperations.WRITE,
  Create: AclOperations.CREATE,
  Delete: AclOperations.DELETE,
  Describe: AclOperations.DESCRIBE,
  DescribeConfigs: AclOperations.DESCRIBE_CONFIGS,
  AlterConfigs: AclOperations.ALTER_CONFIGS,
};

const aclsOf = ({ principal, on, names, prefixed, operations }: Grant): readonly Acl[] =>
  names.flatMap((resourceName) =>
    operations.map((operation) => ({
      resourceType: on === 'topic' ? ResourceTypes.TOPIC : ResourceTypes.GROUP,
      resourceName,
      resourcePatternType: prefixed ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
      principal,
      host: '*',
      operation: OPERATIONS[operation],
      permissionType: AclPermissionTypes.ALLOW,
    })),
  );

const nameOf = ({ resourceType, resourceName, resourcePatternType, principal, host, operation }: Acl): string =>
  [resourceType, resourceName, resourcePatternType, principal, host, operation].join(' ');
