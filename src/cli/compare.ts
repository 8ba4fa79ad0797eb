// comp compare MODEL: many methods at many sizes on the same texts, one table.
import { resolve } from "node:path";
import * as z from "zod";
import { CompareOptions } from "../options/compare.ts";
import { renderComparison } from "../report/comparison.ts";
import { formatPercent } from "../report/format.ts";
import { parsePresets } from "../tasks/compare.ts";
import type { Command, CommandContext } from "./command.ts";
import { createProgress } from "./progress.ts";
import { CALIBRATION_FILES } from "./prune.ts";
import { readTextFile } from "./read-text.ts";
import type { Screen } from "./screen.ts";

type CompareFlags = CompareOptions & {
  calibration: string[];
  text: string[];
  output?: string;
  keep: boolean;
  json: boolean;
};

export const compareCommand: Command = {
  name: "compare",
  summary: "prune by many methods at many sizes, and judge them side by side",
  flags: z
    .strictObject({
      text: z.array(z.string()).min(1).describe("text to judge on, repeatable").meta({ value: "FILE" }),
      calibration: CALIBRATION_FILES,
    })
    .extend(CompareOptions.shape)
    .extend({
      output: z
        .string()
        .optional()
        .describe("folder for the tables and the cells that are finished")
        .meta({ value: "FOLDER", short: "o", fallback: "MODEL-compare" }),
      keep: z.boolean().default(false).describe("keep the pruned models there"),
      json: z.boolean().default(false).describe("print one JSON object"),
    }),
  examples: [
    "comp compare ./SmolLM2-135M --presets best,flap,osscar --sparsity 0.1,0.2 --calibration notes.txt --text wiki.test.raw",
    "comp compare ./SmolLM2-135M --presets all --prune mlp --text a.txt --text b.txt -o ./figures",
  ],
  run: runCompare,
};

async function runCompare(
  model: string,
  flags: CompareFlags,
  { library, screen, signal }: CommandContext,
): Promise<void> {
  const { calibration: files, text: textFiles, output, keep, json, ...options } = flags;
  parsePresets(options.presets);
  const calibration = await Promise.all(
    files.map(async (path) => ({ ...(await readTextFile(path)), path: resolve(path) })),
  );
  const texts = await Promise.all(textFiles.map(readTextFile));
  const job = { model, options, calibration, texts, output: output ?? defaultOutput(model), keep };
  let label = "";
  const labelled: Screen = {
    ...screen,
    live: (line) => screen.live(line && `${label}: ${line}`),
    note: (line) => screen.note(`${label}: ${line}`),
  };
  const showStage = createProgress(labelled, () => performance.now() / 1000);
  try {
    for await (const event of library.compare(job, signal)) {
      if (event.type === "cell")
        label = `${event.number}/${event.total} ${event.preset} ${formatPercent(event.sparsity)}`;
      if (event.type === "stage") showStage(event);
      if (event.type === "done")
        screen.print(json ? JSON.stringify(event.comparison) : renderComparison(event.comparison).trimEnd());
    }
  } finally {
    screen.live("");
  }
}

/** Beside the model. */
const defaultOutput = (model: string): string => `${resolve(model).replace(/\.gguf$/i, "")}-compare`;
