// The library as the commands need it: paths opened, and closed again whatever happens.
import { freemem } from "node:os";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { pruneCheckpoint } from "../index.ts";
import { openModel } from "../model/model.ts";
import { nodeBackend } from "../node/backend.ts";
import { compare } from "../node/compare.ts";
import { openPath } from "../node/open-path.ts";
import { curve } from "../node/trace-curve.ts";
import { evaluateText } from "../tasks/evaluate.ts";
import { generateText } from "../tasks/generate.ts";
import { inspectModel } from "../tasks/inspect.ts";
import { openTokenizer } from "../tokenizer/tokenizer.ts";
import type { Library } from "./command.ts";

/** Share of the free memory that weights kept for decoding may take. */
const RESIDENT_SHARE = 0.6;

export const library: Library = {
  prune: (model, output, options, signal) =>
    pruneCheckpoint({ ...options, model, output: output.path, overwrite: output.overwrite, signal }),

  curve: (model, options, signal) => curve({ ...options, model, signal }),

  compare: (job, signal) => compare({ ...job, signal }),

  async inspect(path) {
    const { open, close } = createOpener();
    try {
      const model = await openModel(await open(path));
      // a model without a usable tokenizer can still be looked at
      return inspectModel(model, await openTokenizer(model.checkpoint).catch(() => undefined));
    } finally {
      await close();
    }
  },

  async *evaluate(path, text, densePath, options, signal) {
    const { open, close } = createOpener();
    try {
      const model = await openModel(await open(path));
      const dense = densePath === undefined ? undefined : await openModel(await open(densePath));
      const tokenizer = await openTokenizer(model.checkpoint);
      yield* evaluateText({ backend: nodeBackend(options.threads), model, tokenizer, text, dense, options, signal });
    } finally {
      await close();
    }
  },

  async *generate(path, options, signal) {
    const { open, close } = createOpener();
    try {
      const model = await openModel(await open(path));
      const tokenizer = await openTokenizer(model.checkpoint);
      const budgetBytes = RESIDENT_SHARE * freemem();
      yield* generateText({ backend: nodeBackend(options.threads), model, tokenizer, options, budgetBytes, signal });
    } finally {
      await close();
    }
  },
};

/** Opens checkpoints and closes all of them together. */
function createOpener(): { open(path: string): Promise<Checkpoint>; close(): Promise<void> } {
  const opened: Checkpoint[] = [];
  return {
    async open(path) {
      const checkpoint = await openPath(path);
      opened.push(checkpoint);
      return checkpoint;
    },
    async close() {
      for (const checkpoint of opened) await checkpoint.close();
    },
  };
}
