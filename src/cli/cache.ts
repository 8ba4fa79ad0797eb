// comp cache: what is kept of models that were looked at.
import * as z from "zod";
import type { CacheContents, CachedFinding } from "../events/cache.ts";
import { formatBytes } from "../report/format.ts";
import type { Command, CommandContext } from "./command.ts";

type CacheFlags = { clear: boolean; json: boolean };

export const cacheCommand: Command = {
  name: "cache",
  summary: "show what is kept of models that were looked at, or clear it",
  models: 0,
  flags: z.strictObject({
    clear: z.boolean().default(false).describe("remove all of it"),
    json: z.boolean().default(false).describe("print everything as one line of JSON"),
  }),
  examples: ["comp cache", "comp cache --clear", "COMP_CACHE=/tmp/comp COMP_CACHE_SIZE=10GB comp cache"],
  run: runCache,
};

async function runCache(_: string, { clear, json }: CacheFlags, { library, screen }: CommandContext): Promise<void> {
  const contents = await (clear ? library.clearCache() : library.inspectCache());
  if (json) screen.print(JSON.stringify(contents));
  else if (clear) screen.print(`${contents.folder}: ${formatBytes(contents.bytes)} removed`);
  else for (const line of renderCache(contents)) screen.print(line);
}

export function renderCache({ folder, bytes, mostBytes, findings }: CacheContents): string[] {
  const kinds = new Map<string, CachedFinding[]>();
  for (const found of findings) {
    const kind = `${found.model}  ${found.finding}`;
    kinds.set(kind, [...(kinds.get(kind) ?? []), found]);
  }
  const rows = [...kinds.values()].map((alike) => {
    const [{ model, finding, usedAt }] = alike as [CachedFinding];
    const size = formatBytes(alike.reduce((sum, { bytes }) => sum + bytes, 0));
    return [model, finding, `${alike.length}`, size, new Date(usedAt).toISOString().slice(0, 10)] as const;
  });
  const widest = Math.max(...rows.map(([model]) => model.length));
  return [
    `${folder}: ${formatBytes(bytes)} of at most ${formatBytes(mostBytes)}`,
    ...rows.map(
      ([model, finding, count, size, day]) =>
        `  ${model.padEnd(widest)}  ${finding.padEnd(20)}  ${count.padStart(3)}  ${size.padStart(9)}  used ${day}`,
    ),
  ];
}
