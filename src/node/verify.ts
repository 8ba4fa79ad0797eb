// Verifying a checkpoint on this machine: a path in, checks out.
import { availableParallelism, freemem } from "node:os";
import type { VerifyEvent } from "../events/model.ts";
import { parseOptions } from "../options/schema.ts";
import { VerifyOptions } from "../options/verify.ts";
import { verifyModel } from "../tasks/verify.ts";
import { bundledText, nodeBackend, RESIDENT_SHARE } from "./host.ts";
import { askLlamaCpp } from "./llama-cpp.ts";
import { withPaths } from "./open-path.ts";
import { type ModelRequest, streamEvents } from "./stream-events.ts";

export type VerifyRequest = ModelRequest & Partial<VerifyOptions>;

/**
 * Proves that a checkpoint is whole and runs: opens it, reads every value, sends a text through its tokenizer and through the
 * model, and where the package node-llama-cpp is installed loads a GGUF file there and compares the first greedy tokens.
 *
 * @returns each check as it is passed, with its figures; the last event is "done" with all of them
 * @throws {CompError} for the first check that does not pass: "checkpoint" or "architecture" for files, tensors, tokenizer or
 *   llama.cpp, "numeric" for values or logits that are not finite
 */
export const verifyCheckpoint = (request: VerifyRequest): AsyncGenerator<VerifyEvent> =>
  streamEvents<VerifyEvent>(async (report, signal) => {
    const { model: path, signal: _, ...given } = request;
    const { threads } = parseOptions(VerifyOptions, given);
    return withPaths(async (open) => {
      const checkpoint = await open(path);
      const budgetBytes = RESIDENT_SHARE * freemem();
      const result = await verifyModel(
        {
          backend: nodeBackend(threads),
          checkpoint,
          text: await bundledText(),
          budgetBytes,
          askLlamaCpp: (ids, count) =>
            askLlamaCpp({ path, ids, count, threads: threads ?? availableParallelism() }, signal),
          signal,
        },
        report,
      );
      return { type: "done", result };
    });
  }, request);
