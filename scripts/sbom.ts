/**
 * npm run --silent sbom: what this product consists of, as CycloneDX 1.6, from the lock file alone: the same lock file is
 * the same list, on every machine. Packages that only develop it are named as excluded.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

type Locked = {
  readonly name?: string;
  readonly version: string;
  readonly license?: string;
  readonly integrity?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
};

const text = readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8');
const { name: product, packages } = JSON.parse(text) as {
  readonly name: string;
  readonly packages: Readonly<Record<string, Locked>>;
};
const FOLDER = 'node_modules/';
const nameOf = (path: string, { name }: Locked): string =>
  name ?? (path === '' ? product : path.slice(path.lastIndexOf(FOLDER) + FOLDER.length));
/** `pkg:npm/%40scope/name@1.0.0` */
const refOf = (path: string, locked: Locked): string =>
  `pkg:npm/${nameOf(path, locked).replace('@', '%40')}@${encodeURIComponent(locked.version)}`;

/** Where Node finds it: beside whoever asks, or in a folder further out; undefined for an optional one of no platform. */
const found = (from: string, name: string): string | undefined => {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf(`/${FOLDER}`)))) {
    const path = `${at === '' ? '' : `${at}/`}${FOLDER}${name}`;
    if (path in packages) return path;
    if (at === '') return undefined;
  }
};
const neededBy = (path: string, locked: Locked): readonly string[] => {
  const names = {
    ...locked.dependencies,
    ...locked.devDependencies,
    ...locked.optionalDependencies,
    ...locked.peerDependencies,
  };
  const paths = Object.keys(names).flatMap((name) => found(path, name) ?? []);
  return [...new Set(paths.flatMap((one) => (packages[one] ? [refOf(one, packages[one])] : [])))].sort();
};

/** `sha512-<base64>` as the hash that it stands for. */
const hashOf = (integrity: string) => {
  const [, algorithm = '', digest = ''] = /^sha(\d+)-(\S+)$/.exec(integrity) ?? [];
  return { alg: `SHA-${algorithm}`, content: Buffer.from(digest, 'base64').toString('hex') };
};
const scopeOf = ({ dev, optional }: Locked): string => {
  if (dev) return 'excluded';
  return optional ? 'optional' : 'required';
};
const describe = (path: string, locked: Locked) => ({
  type: path === '' ? 'application' : 'library',
  'bom-ref': refOf(path, locked),
  name: nameOf(path, locked),
  version: locked.version,
  purl: refOf(path, locked),
  ...(path !== '' && { scope: scopeOf(locked) }),
  ...(locked.license !== undefined && { licenses: [{ expression: locked.license }] }),
  ...(locked.integrity !== undefined && { hashes: [hashOf(locked.integrity)] }),
});

// The same version may lie in several folders.
const all = [
  ...new Map(Object.entries(packages).map(([path, locked]) => [refOf(path, locked), { path, locked }])).values(),
];
const [root] = all;
const id = createHash('sha256').update(text).digest('hex');
console.log(
  JSON.stringify(
    {
      $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
      bomFormat: 'CycloneDX',
      specVersion: '1.6',
      version: 1,
      serialNumber: `urn:uuid:${id.slice(0, 8)}-${id.slice(8, 12)}-8${id.slice(13, 16)}-8${id.slice(17, 20)}-${id.slice(20, 32)}`,
      metadata: root && { component: describe(root.path, root.locked) },
      components: all.slice(1).map(({ path, locked }) => describe(path, locked)),
      dependencies: all.map(({ path, locked }) => ({ ref: refOf(path, locked), dependsOn: neededBy(path, locked) })),
    },
    undefined,
    2,
  ),
);
