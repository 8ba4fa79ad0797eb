// Sentences in French, German and Spanish whose last words agree with what stands before, or do not.
import type { Random } from "../../linalg/random.ts";
import { type Probe, type ProbeItem, pick } from "./probe.ts";

/** A language in which an adjective or article follows the gender or number of a noun. */
interface Agreement {
  /** Nouns of one class each. */
  readonly nouns: readonly (readonly string[])[];
  /** The sentence up to the word that must agree. */
  readonly begin: (noun: string) => string;
  /** Words in the forms of the classes. */
  readonly forms: readonly (readonly string[])[];
}

const AGREEMENTS: readonly Agreement[] = [
  {
    nouns: [
      ["Le jardin", "Le château", "Le livre", "Le pays", "Le chapeau"],
      ["La maison", "La voiture", "La table", "La ville", "La robe"],
    ],
    begin: (noun) => `${noun} que nous avons vu dans le film est très`,
    forms: [
      [" grand.", " grande."],
      [" vert.", " verte."],
      [" petit.", " petite."],
      [" intéressant.", " intéressante."],
    ],
  },
  {
    nouns: [
      ["El libro", "El perro", "El coche", "El barrio", "El vestido"],
      ["La casa", "La mesa", "La ciudad", "La calle", "La falda"],
    ],
    begin: (noun) => `${noun} de mi hermana es muy`,
    forms: [
      [" pequeño.", " pequeña."],
      [" bonito.", " bonita."],
      [" antiguo.", " antigua."],
      [" barato.", " barata."],
    ],
  },
  {
    nouns: [
      ["Der Hund", "Mein Bruder", "Das Kind", "Die Lehrerin", "Der alte Mann"],
      ["Die Hunde", "Meine Brüder", "Die Kinder", "Die Lehrerinnen", "Die alten Männer"],
    ],
    begin: (noun) => `${noun} aus dem kleinen Dorf`,
    forms: [
      [" kommt heute nach Hause.", " kommen heute nach Hause."],
      [" ist sehr müde.", " sind sehr müde."],
      [" hat keine Zeit.", " haben keine Zeit."],
      [" spielt im Garten.", " spielen im Garten."],
    ],
  },
];

export const secondLanguage: Probe = {
  summary: "agreement in French, Spanish and German",
  draw: (random) => [agreementItem(random, pick(random, AGREEMENTS))],
};

function agreementItem(random: Random, { nouns, begin, forms }: Agreement): ProbeItem {
  const kind = random.nextInt(nouns.length);
  const form = pick(random, forms);
  return { prompt: begin(pick(random, nouns[kind]!)), choices: [form[kind]!, form[1 - kind]!] };
}
