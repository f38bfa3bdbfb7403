// Runs a TypeScript file of this repository on a Node that can: the current one, or else another one found here.
// Plain JavaScript for Node 18 and later, since that may be the Node that starts it.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import { constants } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Below 24.3 type stripping warns or is missing; below 24.6 the Kafka client does not run. */
const REQUIRED = '24.6';
const root = fileURLToPath(new URL('..', import.meta.url));

export async function run(file, args) {
  if (!existsSync(`${root}node_modules`))
    return fail('The packages are not installed yet. Run `node bin/install.js` first.');
  if (isEnough(process.version)) return runHere(resolve(file), args);
  const node = findNode();
  if (node) return runOn(node);
  fail(
    `This needs Node ${REQUIRED} or later; this is ${process.version}, and node_modules holds none for ${process.platform} ${process.arch}.\n` +
      'Install a newer Node, or the optional packages too (they bring one for Linux).',
  );
}

async function runHere(file, args) {
  stopWithParent();
  // What was compiled is kept for the next start, which costs less CPU by a third then. It goes by the text of each file.
  // In production nothing is written where the product lies.
  if (process.env.NODE_ENV !== 'production') module.enableCompileCache?.(`${root}.cache/compiled`);
  process.argv = [process.execPath, file, ...args];
  await import(pathToFileURL(file).href);
  module.flushCompileCache?.(); // now that it runs: at its end may be too late, for it may be killed
}

/** The same entry once more on another Node, as if it were this process: terminal, signals, exit code, even kill -9. */
function runOn(node) {
  const child = spawn(node, process.argv.slice(1), { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => fail(`${node} did not start: ${error.message}`));
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

/** Whoever started us over a channel and vanished, even by kill -9, can no longer stop us: so we stop ourselves. */
function stopWithParent() {
  process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  process.channel?.unref();
}

function findNode() {
  const platform = `${process.platform}-${process.arch}`;
  const candidates = [
    process.env.npm_node_execpath,
    `${root}node_modules/node-${platform}/bin/node`,
    `${root}node_modules/node-bin-${platform}/bin/node`,
  ];
  return candidates.find((node) => node && isEnough(versionOf(node)));
}

const versionOf = (node) => spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout ?? '';

function isEnough(version) {
  const [major, minor] = numbers(version);
  const [requiredMajor, requiredMinor] = numbers(REQUIRED);
  return major > requiredMajor || (major === requiredMajor && minor >= requiredMinor);
}

const numbers = (version) => version.replace(/^v/, '').split('.').map(Number);

function fail(message) {
  console.error(message);
  process.exitCode = 1;
}
