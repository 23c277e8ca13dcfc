// A server that speaks Cosmos DB's protocol over HTTPS, on a free port, which it prints. It ends with its standard input.
//
// It is the npm package @vercel/cosmosdb-server with what follows put right. What else it cannot do is listed by name in
// tests/contract/cosmos.py.

const Collections = require("@vercel/cosmosdb-server/lib/account/collections").default;
const Documents = require("@vercel/cosmosdb-server/lib/account/documents").default;
const readDocument = require("@vercel/cosmosdb-server/lib/handler/read-document");
const batch = require("@vercel/cosmosdb-server/lib/handler/batch-documents");
const operations = require("@vercel/cosmosdb-server/lib/handler/_document-operations");

// Transactional batches: the package looks for the partition key in each operation, where no client puts it (it is a header
// of the whole), and does not roll back.
const run = {
  Create: operations.createOperation,
  Upsert: operations.upsertOperation,
  Replace: operations.replaceOperation,
  Delete: operations.deleteOperation,
};

batch.default = async (account, request, response, { dbId, collId }) => {
  const sent = JSON.parse(Buffer.concat(await request.toArray()).toString());
  // Nothing is awaited from here on, so that no other request comes between.
  const collection = account.database(dbId).collection(collId);
  const { documents } = collection;
  const partitionKey = request.headers["x-ms-documentdb-partitionkey"];
  const before = [new Map(documents._data), new Map(documents._index)];
  const results = [];
  for (const operation of sent) {
    const { statusCode, body } = run[operation.operationType](collection, { ...operation, partitionKey });
    if (statusCode >= 400) {
      [documents._data, documents._index] = before;
      response.statusCode = 207;
      return sent.map((_, index) => (index === results.length ? { statusCode, requestCharge: 1 } : { statusCode: 424 }));
    }
    results.push({ statusCode, requestCharge: 1, eTag: body?._etag });
  }
  return results;
};

// Reading a document that is not there: the package answers 500.
const readPresent = readDocument.default;
readDocument.default = (account, request, response, parameters) => {
  const [partition] = JSON.parse(request.headers["x-ms-documentdb-partitionkey"]);
  const { dbId, collId, docId } = parameters;
  const collection = account.database(dbId).collection(collId);
  if (collection.read() && !collection.document(docId, partition).read()) {
    response.statusCode = 404;
    return { code: "NotFound" };
  }
  return readPresent(account, request, response, parameters);
};

// Queries: the package's code copies all rows that it has for each document that it adds, seconds where there are many.
// A step that starts from no rows gives those of its document.
const getQuery = Documents.prototype._getQuery;
Documents.prototype._getQuery = function (sql) {
  const query = getQuery.call(this, sql);
  const exec = (documents, options) => {
    documents.reduce = (step) => documents.flatMap((document) => step([], document));
    return query.exec(documents, options);
  };
  return { exec };
};

// A composite index serves the opposite order, too.
const opposite = { ascending: "descending", descending: "ascending" };
const setCollection = Collections.prototype._set;
Collections.prototype._set = function (data) {
  const given = data.indexingPolicy?.compositeIndexes ?? [];
  const reversed = given.map((index) => index.map(({ path, order }) => ({ path, order: opposite[order] })));
  return setCollection.call(this, {
    ...data,
    indexingPolicy: { ...data.indexingPolicy, compositeIndexes: [...given, ...reversed] },
  });
};

const { createHttpsServer } = require("@vercel/cosmosdb-server");

const server = createHttpsServer({ keepAlive: true });
server.keepAliveTimeout = 600_000;
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.resume().on("end", () => process.exit());
