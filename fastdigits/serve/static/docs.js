// Show the description of the API. Its address is relative, because a proxy may add a path to those of the server.

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset],
  layout: "BaseLayout",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
});
