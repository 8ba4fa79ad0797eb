// Activation functions by the names that config.json has for them.
import { CompError, describeValue } from "../../errors.ts";
import type { Activation } from "../spec/decoder-spec.ts";
import type { ConfigFields } from "./config-fields.ts";

export const ACTIVATIONS: ReadonlyMap<unknown, Activation> = new Map([
  ["silu", "silu"],
  ["swish", "silu"],
  ["gelu", "gelu"],
  ["gelu_pytorch_tanh", "gelu-tanh"],
  ["gelu_new", "gelu-tanh"],
  ["gelu_fast", "gelu-tanh"],
  ["relu", "relu"],
  ["relu2", "relu2"],
]);

/** The activation that field `key` names. @throws {CompError} "architecture" for one that is not supported. */
export function parseActivation(fields: ConfigFields, key: string): Activation {
  const activation = ACTIVATIONS.get(fields.get(key));
  if (activation !== undefined) return activation;
  throw new CompError(
    "architecture",
    `${fields.source} says ${key} ${describeValue(fields.get(key))}, which is not supported`,
    {
      hint: `supported: ${[...ACTIVATIONS.keys()].join(", ")}`,
    },
  );
}
