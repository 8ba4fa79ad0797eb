// Programs that this package runs as processes of their own.
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

/** What `fork` needs to run a program. */
export interface ChildProgram {
  readonly path: string;
  readonly execArgv: string[];
}

const OWN_KIND = extname(import.meta.url);

/**
 * A program beside this file, and of its kind: as it was written it needs our loader and one that is there in any case; compiled it
 * needs none of our flags, `-e` least of all.
 */
export const childProgram = (name: string): ChildProgram => ({
  path: fileURLToPath(new URL(`./${name}${OWN_KIND}`, import.meta.url)),
  execArgv: OWN_KIND === ".ts" ? [...process.execArgv, "--import", "tsx"] : [],
});
