// node bin/run.js <file> [arguments]: a program of this repository on a Node that can run TypeScript.
import { run } from './node.js';

const [file, ...args] = process.argv.slice(2);
await run(file, args);
