// The types of written weights by name, and lists of them.
import * as z from "zod";

/** What weights are written in: floats, and the mixtures of llama.cpp by their names. */
export const DTYPES = [
  ...(["f32", "f16", "bf16", "q8_0", "q6_k", "q5_k_m", "q5_k_s", "q5_1", "q5_0", "q4_k_m", "q4_k_s"] as const),
  ...(["q4_1", "q4_0", "q3_k_l", "q3_k_m", "q3_k_s", "q2_k", "iq4_nl", "iq4_xs"] as const),
] as const;

export type DtypeName = (typeof DTYPES)[number];

/** Names joined by commas, none by default. */
export const dtypeList = z
  .string()
  .refine((list) => parseDtypes(list).every((name) => (DTYPES as readonly string[]).includes(name)))
  .default("")
  .meta({ value: "LIST", expected: `types such as q8_0,q4_k_m, out of ${DTYPES.join(", ")}` });

/** The names in a list that the schema has let pass, each once. */
export const parseDtypes = (list: string): DtypeName[] => [
  ...new Set(
    list
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== "") as DtypeName[],
  ),
];
