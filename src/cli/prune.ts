// comp prune MODEL: a smaller model beside the one given.
import { resolve } from "node:path";
import * as z from "zod";
import type { LayerResult, PruneEvent } from "../events/prune.ts";
import { type GivenPruneOptions, PruneOptions } from "../options/prune.ts";
import type { Command, CommandContext } from "./command.ts";
import { createProgress } from "./progress.ts";
import { readTextFile } from "./read-text.ts";
import {
  LAYER_HEADER,
  renderCalibration,
  renderLayer,
  renderPlan,
  renderResult,
  renderSplit,
  renderTrial,
} from "./render.ts";
import type { Screen } from "./screen.ts";

type PruneFlags = Omit<GivenPruneOptions, "calibration"> & {
  calibration: string[];
  output?: string;
  overwrite: boolean;
  json: boolean;
};

/** The texts as the command line takes them. */
export const CALIBRATION_FILES: z.ZodType<string[], string[] | undefined> = z
  .array(z.string())
  .default([])
  .describe("text or JSONL to calibrate on, repeatable")
  .meta({ value: "FILE", fallback: "the model's own text, or a bundled mix" });

export const pruneCommand: Command = {
  name: "prune",
  summary: "remove layers and neurons, write a smaller model",
  flags: PruneOptions.extend({
    calibration: CALIBRATION_FILES,
    output: z
      .string()
      .optional()
      .describe("folder to write, or one file NAME.gguf")
      .meta({ value: "PATH", short: "o", fallback: "MODEL-pruned" }),
    overwrite: z.boolean().default(false).describe("replace the output"),
    json: z.boolean().default(false).describe("print one event a line as JSON"),
  }),
  examples: [
    "comp prune ./SmolLM2-135M --sparsity 0.2 -o ./smaller --calibration notes.txt --calibration chats.jsonl",
    "comp prune ./SmolLM2-135M --sparsity 0.2 -o smaller.gguf --dtype q8_0",
    "comp prune model.gguf --sparsity 0.2 --dry-run",
  ],
  run: runPrune,
};

async function runPrune(model: string, flags: PruneFlags, { library, screen, signal }: CommandContext): Promise<void> {
  const { calibration: files, output, overwrite, json, ...options } = flags;
  const calibration = await Promise.all(files.map(readTextFile));
  const target = { path: output ?? defaultOutput(model), overwrite };
  const show = json ? createJsonPrinter(screen) : createTablePrinter(screen);
  const showStage = createProgress(screen, () => performance.now() / 1000);
  try {
    for await (const event of library.prune(model, target, { ...options, calibration }, signal)) {
      show(event);
      if (event.type === "stage") showStage(event);
      if (event.type === "warning") screen.note(`comp: warning: ${event.message}`);
    }
  } finally {
    screen.live("");
  }
}

/** Beside the model: ./SmolLM2 → SmolLM2-pruned, model.gguf → model-pruned. */
export const defaultOutput = (model: string): string => `${resolve(model).replace(/\.gguf$/i, "")}-pruned`;

const INDICES: ReadonlySet<string> = new Set<keyof LayerResult>(["kept", "heads", "keyValueHeads"]);

/** A line per event; kept indices are left to pruning.json. */
const createJsonPrinter = (screen: Screen) => (event: PruneEvent) =>
  screen.print(JSON.stringify(event, (key, value) => (INDICES.has(key) && Array.isArray(value) ? undefined : value)));

function createTablePrinter(screen: Screen): (event: PruneEvent) => void {
  let rows = 0;
  return (event) => {
    if (event.type === "plan") for (const line of renderPlan(event)) screen.print(line);
    if (event.type === "calibration") screen.print(renderCalibration(event));
    if (event.type === "split") screen.print(renderSplit(event.split));
    if (event.type === "trial") screen.print(renderTrial(event.trial));
    if (event.type === "layer") {
      if (rows++ === 0) screen.print(`\n${LAYER_HEADER}`);
      screen.print(renderLayer(event));
    }
    if (event.type === "done") for (const line of ["", ...renderResult(event.result)]) screen.print(line);
  };
}
