// Makes `npm start` and `npm test` one command on a fresh clone: installs the locked packages when they are missing or
// are not the ones that package-lock.json names. Plain JavaScript for Node 18 and later, since nothing else is there
// yet; a part of the scripts themselves, since npm runs no `prestart` where `ignore-scripts` is set.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const lock = `${root}.cache/install.lock`;

if (!isInstalled()) await alone(() => isInstalled() || install());

/** npm writes node_modules/.package-lock.json last, so an install that was broken off has none or an old one. */
function isInstalled() {
  const wanted = packagesOf(`${root}package-lock.json`);
  const present = packagesOf(`${root}node_modules/.package-lock.json`);
  // npm leaves out optional packages of other platforms, and development packages in production.
  const mayMiss = (entry) => entry.optional || (entry.dev && process.env.NODE_ENV === 'production');
  return (
    present !== undefined &&
    Object.entries(wanted).every(([path, entry]) => {
      if (path === '') return true; // this package itself
      return path in present ? present[path].integrity === entry.integrity : mayMiss(entry);
    })
  );
}

function packagesOf(lockFile) {
  try {
    return JSON.parse(readFileSync(lockFile, 'utf8')).packages;
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function install() {
  console.error('Installing packages (once, some seconds) …');
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status, error } = spawnSync('npm', ['ci', ...flags], { cwd: root, stdio: ['ignore', 2, 2] });
  if (status === 0) return;
  console.error(
    `\nThe packages could not be installed: ${error ? `npm did not start (${error.message})` : 'see npm above'}.\n` +
      'This one time the npm registry must be reachable. Check the network or the proxy, then run the same command again.',
  );
  process.exitCode = 1;
}

/** Two commands on a fresh clone install once, not into each other. */
async function alone(work) {
  mkdirSync(`${root}.cache`, { recursive: true });
  while (!takeLock()) await new Promise((resolve) => setTimeout(resolve, 200));
  try {
    work();
  } finally {
    rmSync(lock, { force: true });
  }
}

/** A lock that a killed process left behind is cleared for the next try. */
function takeLock() {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    if (!holderLives()) rmSync(lock, { force: true });
    return false;
  }
}

function holderLives() {
  try {
    return process.kill(Number(readFileSync(lock, 'utf8')), 0);
  } catch (error) {
    return error.code !== 'ESRCH';
  }
}
