// comp prune MODEL: a smaller model beside the one given.
import * as z from "zod";
import type { LayerResult, PruneEvent } from "../events/prune.ts";
import { readTexts } from "../node/read-text.ts";
import { noCache } from "../options/common.ts";
import { PruneOptions } from "../options/prune.ts";
import type { Command, CommandContext } from "./command.ts";
import { besideModel, CALIBRATION_FILES, VOCABULARY_FILES } from "./paths.ts";
import { createProgress } from "./progress.ts";
import {
  LAYER_HEADER,
  renderCalibration,
  renderLayer,
  renderPlan,
  renderResult,
  renderResumption,
  renderSplit,
  renderTrial,
} from "./render.ts";
import type { Screen } from "./screen.ts";

type PruneFlags = Omit<PruneOptions, "calibration" | "vocabulary"> & {
  calibration: string[];
  vocabulary: string[];
  output?: string;
  overwrite: boolean;
  noCache: boolean;
  json: boolean;
};

export const pruneCommand: Command = {
  name: "prune",
  summary: "remove layers and neurons, write a smaller model",
  flags: PruneOptions.extend({
    calibration: CALIBRATION_FILES,
    vocabulary: VOCABULARY_FILES,
    output: z
      .string()
      .optional()
      .describe("folder to write, or one file NAME.gguf")
      .meta({ value: "PATH", short: "o", fallback: "MODEL-pruned" }),
    overwrite: z.boolean().default(false).describe("replace the output"),
    noCache,
    json: z.boolean().default(false).describe("print one event a line as JSON"),
  }),
  examples: [
    "comp prune ./SmolLM2-135M --sparsity 0.2 -o ./smaller --calibration notes.txt --calibration chats.jsonl",
    "comp prune ./SmolLM2-135M --sparsity 0.2 -o smaller.gguf --dtype q8_0",
    "comp prune model.gguf --sparsity 0.2 --dry-run",
  ],
  writesFiles: true,
  run: runPrune,
};

async function runPrune(model: string, flags: PruneFlags, { library, screen, signal }: CommandContext): Promise<void> {
  const { calibration, vocabulary, output = besideModel(model, "pruned"), json, ...options } = flags;
  const texts = { calibration: await readTexts(calibration), vocabulary: await readTexts(vocabulary) };
  const request = { ...options, ...texts, model, output, signal };
  const show = json ? createJsonPrinter(screen) : createTablePrinter(screen);
  const showStage = createProgress(screen, () => performance.now() / 1000);
  try {
    for await (const event of library.prune(request)) {
      show(event);
      if (event.type === "stage") showStage(event);
      if (event.type === "resume") screen.note(`comp: ${renderResumption(event)}`);
      if (event.type === "warning") screen.note(`comp: warning: ${event.message}`);
    }
  } finally {
    screen.live("");
  }
}

const INDICES: ReadonlySet<string> = new Set<keyof LayerResult>(["kept", "experts", "heads", "keyValueHeads"]);

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
