// Prints, as JSON, what every call of Chroma's JavaScript client answers: `node javascript_client.mjs HOST PORT`.
//
// The same program is run against our server and against `chroma run`. It is copied beside the node_modules folder
// that has chromadb, from where `import` finds it.

import { AdminClient, ChromaClient } from "chromadb";

const [host, port] = [process.argv[2], Number(process.argv[3])];
const IDS = ["oak", "birch", "box"];
const EMBEDDINGS = [[1, 0, 0], [0.9, 0.1, 0], [0, 1, 0.5]];
const DOCUMENTS = ["an old oak", "a birch in winter", "ünïcode 木 🌳"];
const METADATAS = [{ kind: "tree", height: 12 }, { kind: "tree", height: 3.5 }, { kind: "bush", evergreen: true }];

// Frequencies of letters, so that texts need no model.
const letters = {
  name: "javascript-letters",
  generate: async (texts) => texts.map((text) => [..."abo"].map((letter) => text.split(letter).length - 1)),
  getConfig: () => ({}),
};

async function attempt(call) {
  try {
    return await call();
  } catch (error) {
    return { raises: error.name };
  }
}

async function collections(client) {
  const made = await client.createCollection({ name: "plants", metadata: { colour: "green" }, embeddingFunction: null });
  const again = await client.getOrCreateCollection({ name: "plants", embeddingFunction: null });
  await client.createCollection({ name: "others", embeddingFunction: null });
  const answers = {
    made: [made.name, made.metadata],
    again: again.id === made.id,
    twice: await attempt(() => client.createCollection({ name: "plants", embeddingFunction: null })),
    missing: await attempt(() => client.getCollection({ name: "nothing" })),
    listed: (await client.listCollections()).map((each) => each.name).sort(),
    counted: await client.countCollections(),
  };
  await made.modify({ name: "flora", metadata: { colour: "red" } });
  const flora = await client.getCollection({ name: "flora" });
  answers.modified = [flora.name, flora.metadata, flora.id === made.id];
  await client.deleteCollection({ name: "flora" });
  answers.deleted = await attempt(() => flora.count());
  return answers;
}

async function records(client) {
  const collection = await client.createCollection({ name: "records", embeddingFunction: null });
  await collection.add({ ids: IDS, embeddings: EMBEDDINGS, documents: DOCUMENTS, metadatas: METADATAS });
  const include = ["documents", "metadatas", "embeddings"];
  const answers = {
    count: await collection.count(),
    got: await collection.get({ include }),
    where: (await collection.get({ where: { height: { $gt: 5 } } })).ids,
    document: (await collection.get({ whereDocument: { $contains: "木" } })).ids,
    page: (await collection.get({ limit: 1, offset: 1 })).ids,
    peek: (await collection.peek({ limit: 2 })).ids,
  };
  await collection.update({ ids: ["oak"], metadatas: [{ height: null, age: 300 }] });
  await collection.upsert({ ids: ["birch", "ash"], embeddings: [[2, 2, 2], [3, 3, 3]], documents: ["B", "A"] });
  answers.changed = await collection.get({ ids: ["oak"], include });
  answers.upserted = (await collection.get({ include: ["documents"] })).documents;
  answers.deleted = await collection.delete({ ids: ["oak"] });
  answers.deletedWhere = await collection.delete({ where: { kind: "bush" } });
  answers.left = (await collection.get()).ids;
  answers.wrong = await attempt(() => collection.add({ ids: ["x"], embeddings: [[1, 2]] }));
  return answers;
}

async function queries(client) {
  const configuration = { hnsw: { space: "cosine", ef_search: 60 } };
  const collection = await client.createCollection({ name: "queries", configuration, embeddingFunction: letters });
  await collection.add({ ids: IDS, embeddings: EMBEDDINGS, documents: DOCUMENTS, metadatas: METADATAS });
  const { space, ef_search } = collection.configuration.hnsw;
  const queryEmbeddings = [[1, 0.2, 0.1], [0, 0.3, 1]];
  const answers = {
    configuration: [space, ef_search],
    nearest: await collection.query({ queryEmbeddings, nResults: 2, include: ["distances", "documents", "metadatas"] }),
    where: (await collection.query({ queryEmbeddings, where: { kind: "bush" } })).ids,
    texts: (await collection.query({ queryTexts: ["ooo"], nResults: 1 })).ids,
    wrong: await attempt(() => collection.query({ queryEmbeddings: [[1, 2]] })),
  };
  await collection.modify({ configuration: { hnsw: { ef_search: 70 } } });
  const again = await client.getCollection({ name: "queries", embeddingFunction: letters });
  answers.modified = again.configuration.hnsw.ef_search;
  return answers;
}

async function tenants() {
  const admin = new AdminClient({ host, port });
  await admin.createTenant({ name: "javascript" });
  await admin.createDatabase({ name: "garden", tenant: "javascript" });
  const client = new ChromaClient({ host, port, tenant: "javascript", database: "garden" });
  await client.createCollection({ name: "apart", embeddingFunction: null });
  const { name, tenant } = await admin.getDatabase({ name: "garden", tenant: "javascript" });
  return {
    database: [name, tenant],
    databases: (await admin.listDatabases({ tenant: "javascript" })).map((each) => each.name),
    collections: (await client.listCollections()).map((each) => each.name),
    missing: await attempt(() => admin.getDatabase({ name: "nothing", tenant: "javascript" })),
  };
}

// Numbers as floats of four digits, and no property that only says "not asked for".
function plain(_, value) {
  if (typeof value === "number") return Math.round(value * 10_000) / 10_000;
  return value === null ? undefined : value;
}

const client = new ChromaClient({ host, port });
const answers = {
  handshake: {
    heartbeat: (await client.heartbeat()) > 0,
    version: (await client.version()).split(".").length,
    batch: (await client.getMaxBatchSize()) > 1000,
    base64: await client.supportsBase64Encoding(),
    who: (await client.getUserIdentity()).tenant,
  },
  collections: await collections(client),
  records: await records(client),
  queries: await queries(client),
  tenants: await tenants(),
};
console.log(JSON.stringify(answers, plain));
