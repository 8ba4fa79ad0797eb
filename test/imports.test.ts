// The direction of imports. A room is a folder of src/, or a file that lies in src/ itself; an import goes to a room of lower
// rank, or stays inside its own. `only` narrows that for the rooms that have to stay ignorant of what lies beside them.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "./helpers/built.ts";

interface Room {
  readonly rank: number;
  /** The rooms of lower rank that it may know; all of them where there is no list. `errors` is everybody's. */
  readonly only?: readonly string[];
  /** Whether it may use Node and its native modules. */
  readonly onNode?: boolean;
}

const ROOMS: Readonly<Record<string, Room>> = {
  cli: { rank: 15, onNode: true },
  index: { rank: 14 },
  node: { rank: 13, onNode: true },
  tasks: { rank: 12 },
  search: { rank: 11 },
  sensitivity: { rank: 10 },
  prune: { rank: 9 },
  calibration: { rank: 8 },
  evaluate: { rank: 8 },
  report: { rank: 8 },
  "run-context": { rank: 7 },
  allocation: { rank: 6, only: ["events", "linalg", "method", "model", "options"] },
  texts: { rank: 4, only: ["checkpoint", "options"] },
  benchmarks: { rank: 5, only: ["checkpoint", "texts"] },
  cache: { rank: 5, only: ["forward", "model", "version"] },
  forward: { rank: 4, only: ["compute", "linalg", "model"] },
  vocabulary: { rank: 5, only: ["events", "options", "tokenizer"] },
  method: { rank: 5, only: ["checkpoint", "importance", "model", "options", "recover"] },
  events: { rank: 4, only: ["options"] },
  options: { rank: 3, only: ["compute", "importance", "recover"] },
  model: { rank: 3, only: ["checkpoint", "compute", "linalg", "tokenizer"] },
  importance: { rank: 2, only: ["linalg"] },
  recover: { rank: 2, only: ["linalg"] },
  tokenizer: { rank: 2, only: ["checkpoint"] },
  compute: { rank: 2, only: ["linalg"] },
  checkpoint: { rank: 1, only: [] },
  linalg: { rank: 1, only: [] },
  errors: { rank: 0 },
  version: { rank: 0 },
};

const SOURCE = join(ROOT, "src");
const FILES = readdirSync(SOURCE, { recursive: true, encoding: "utf8" })
  .map((file) => file.replaceAll("\\", "/"))
  .filter((file) => file.endsWith(".ts"));
const SPECIFIER = /^\s*(?:import|export)\s(?:[^"';]*?\sfrom\s+)?["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']/gm;
/** `import type` of a native module leaves no trace in what runs. */
const NATIVE_VALUE = /^\s*import\s+(?!type\s)[^"';]*?["'](node:[^"']+|onnxruntime-node)["']/gm;

const roomOf = (file: string): string => file.split("/")[0]!.replace(/\.ts$/, "");

const importsOf = (file: string): string[] =>
  [...readFileSync(join(SOURCE, file), "utf8").matchAll(SPECIFIER)].map(([, fixed, dynamic]) => fixed ?? dynamic!);

const targetOf = (file: string, specifier: string): string =>
  normalize(join(dirname(file), specifier)).replaceAll("\\", "/");

function whyIllegal(file: string, specifier: string): string | undefined {
  const room = roomOf(file);
  const { rank, only } = ROOMS[room] ?? { rank: -1 };
  if (!specifier.startsWith(".")) return undefined;
  const target = roomOf(targetOf(file, specifier));
  if (target === room) return undefined;
  const isLower = (ROOMS[target]?.rank ?? Number.POSITIVE_INFINITY) < rank;
  const isKnown = only === undefined || target === "errors" || only.includes(target);
  return isLower && isKnown ? undefined : `${file} imports ${specifier}: ${room} may not know ${target}`;
}

/** A way from a file back to itself, types included. */
function findCircle(): string[] | undefined {
  const finished = new Set<string>();
  const visit = (file: string, path: readonly string[]): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (finished.has(file)) return undefined;
    for (const specifier of importsOf(file).filter((name) => name.startsWith("."))) {
      const circle = visit(targetOf(file, specifier), [...path, file]);
      if (circle) return circle;
    }
    finished.add(file);
    return undefined;
  };
  for (const file of FILES) {
    const circle = visit(file, []);
    if (circle) return circle;
  }
  return undefined;
}

test("every room has a rank, and every rank is a room's", () => {
  expect(Object.keys(ROOMS).sort()).toEqual([...new Set(FILES.map(roomOf))].sort());
});

test("imports run down", () => {
  expect(FILES.flatMap((file) => importsOf(file).flatMap((name) => whyIllegal(file, name) ?? []))).toEqual([]);
});

test("only rooms on Node use it and its native modules", () => {
  const native = FILES.filter((file) => !ROOMS[roomOf(file)]?.onNode).flatMap((file) =>
    [...readFileSync(join(SOURCE, file), "utf8").matchAll(NATIVE_VALUE)].map(([, name]) => `${file} imports ${name}`),
  );
  expect(native).toEqual([]);
});

test("imports never run in a circle", () => {
  expect(findCircle()).toBeUndefined();
});
