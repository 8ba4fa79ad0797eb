// comp fit MODEL: the best model within a limit.
import * as z from "zod";
import type { FitEvent } from "../events/fit.ts";
import { readTexts } from "../node/read-text.ts";
import { noCache } from "../options/common.ts";
import { FitOptions } from "../options/fit.ts";
import { renderFitVerdict, renderMix } from "../report/fit.ts";
import type { Command, CommandContext } from "./command.ts";
import { besideModel, CALIBRATION_FILES } from "./paths.ts";
import { createProgress } from "./progress.ts";
import { renderResult } from "./render.ts";
import type { Screen } from "./screen.ts";

type FitFlags = Omit<FitOptions, "calibration"> & {
  calibration: string[];
  output?: string;
  overwrite: boolean;
  noCache: boolean;
  json: boolean;
};

export const fitCommand: Command = {
  name: "fit",
  summary: "find the best mix of type and pruning within a limit, and write it",
  flags: FitOptions.extend({
    calibration: CALIBRATION_FILES,
    output: z
      .string()
      .optional()
      .describe("folder to write, or one file NAME.gguf")
      .meta({ value: "PATH", short: "o", fallback: "MODEL-fit.gguf" }),
    overwrite: z.boolean().default(false).describe("replace the output"),
    noCache,
    json: z.boolean().default(false).describe("print one JSON object"),
  }),
  examples: [
    "comp fit ./SmolLM2-135M --size 100MB -o small.gguf",
    "comp fit ./SmolLM2-135M --runtime-memory 1GB --runtime-context 8192",
  ],
  writesFiles: true,
  run: runFit,
};

async function runFit(model: string, flags: FitFlags, { library, screen, signal }: CommandContext): Promise<void> {
  const { calibration: files, output = `${besideModel(model, "fit")}.gguf`, json, ...options } = flags;
  const request = { ...options, model, output, calibration: await readTexts(files), signal };
  const showStage = createProgress(screen, () => performance.now() / 1000);
  try {
    for await (const event of library.fit(request)) {
      if (event.type === "stage") showStage(event);
      if (event.type === "warning") screen.note(`comp: warning: ${event.message}`);
      if (json && event.type === "done") screen.print(JSON.stringify(event.fit));
      if (!json) showEvent(screen, event);
    }
  } finally {
    screen.live("");
  }
}

function showEvent(screen: Screen, event: FitEvent): void {
  if (event.type === "mix") screen.print(`  ${renderMix(event.mix)}`);
  if (event.type === "chosen") screen.print(`\ntakes ${renderMix(event.mix)}\n`);
  if (event.type === "done")
    for (const line of [...renderResult(event.fit.result), ...renderFitVerdict(event.fit)]) screen.print(line);
}
