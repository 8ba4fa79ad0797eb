// comp compare MODEL: many methods at many sizes on the same texts, one table.
import * as z from "zod";
import type { ComparedSubject } from "../events/compare.ts";
import { readTexts } from "../node/read-text.ts";
import { noCache } from "../options/common.ts";
import { CompareOptions } from "../options/compare.ts";
import { renderComparison } from "../report/comparison.ts";
import { formatPercent } from "../report/format.ts";
import type { Command, CommandContext } from "./command.ts";
import { besideModel, CALIBRATION_FILES, TASK_DATA, TEXT_FORMATS } from "./paths.ts";
import { createProgress } from "./progress.ts";
import type { Screen } from "./screen.ts";

type CompareFlags = CompareOptions & {
  calibration: string[];
  text: string[];
  against: string[];
  taskData?: string;
  output?: string;
  keep: boolean;
  noCache: boolean;
  json: boolean;
};

export const compareCommand: Command = {
  name: "compare",
  summary: "prune by many methods at many sizes, and judge them side by side",
  flags: z
    .strictObject({
      text: z.array(z.string()).min(1).describe(`${TEXT_FORMATS} to judge on, repeatable`).meta({ value: "FILE" }),
      calibration: CALIBRATION_FILES,
    })
    .extend(CompareOptions.shape)
    .extend({
      against: z
        .array(z.string())
        .default([])
        .describe("another model to compare with by bits per byte and tasks, repeatable")
        .meta({ value: "MODEL" }),
      taskData: TASK_DATA,
      output: z
        .string()
        .optional()
        .describe("folder for the tables and the cells that are finished")
        .meta({ value: "FOLDER", short: "o", fallback: "MODEL-compare" }),
      keep: z.boolean().default(false).describe("keep the pruned models there"),
      noCache,
      json: z.boolean().default(false).describe("print one JSON object"),
    }),
  examples: [
    "comp compare ./SmolLM2-135M --presets best,flap,osscar --sparsity 0.1,0.2 --calibration notes.txt --text wiki.test.raw",
    "comp compare ./SmolLM2-135M --presets best --quantized q8_0,q4_k_m,q3_k_m --dtypes f16,q4_k_m --text wiki.test.raw",
    "comp compare ./SmolLM2-135M --presets all --prune mlp --text a.txt --text b.txt -o ./figures",
  ],
  writesFiles: true,
  run: runCompare,
};

async function runCompare(
  model: string,
  flags: CompareFlags,
  { library, screen, signal }: CommandContext,
): Promise<void> {
  const { calibration: files, text: textFiles, output = besideModel(model, "compare"), json, ...options } = flags;
  const [calibration, texts] = [await readTexts(files), await readTexts(textFiles)];
  let label = "dense";
  const labelled: Screen = {
    ...screen,
    live: (line) => screen.live(line && `${label}: ${line}`),
    note: (line) => screen.note(`${label}: ${line}`),
  };
  const showStage = createProgress(labelled, () => performance.now() / 1000);
  try {
    for await (const event of library.compare({ ...options, model, output, calibration, texts, signal })) {
      if (event.type === "cell") label = `${event.number}/${event.total} ${nameOf(event)}`;
      if (event.type === "stage") showStage(event);
      if (event.type === "warning") screen.note(`comp: warning: ${event.message}`);
      if (event.type === "done")
        screen.print(json ? JSON.stringify(event.comparison) : renderComparison(event.comparison).trimEnd());
    }
  } finally {
    screen.live("");
  }
}

function nameOf(subject: ComparedSubject): string {
  if ("quantized" in subject) return subject.quantized;
  return "against" in subject ? subject.against : `${subject.preset} ${formatPercent(subject.sparsity)}`;
}
