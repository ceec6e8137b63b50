// Keys of models, in Spanish.
import type { models as English } from "../en/models.ts";

/** Texts of this page. */
export const models: typeof English = {
  title: "Modelos",
  lead:
    "Un modelo usa la clave de su proveedor. Dale una propia cuando deba facturarse, limitarse o cambiarse aparte.",
  add: "Dar clave propia a un modelo",
  emptyTitle: "Todos los modelos usan la clave de su proveedor",
  emptyText:
    "Es lo que casi todos necesitan. La clave propia de un modelo la sustituye solo para ese modelo.",
  others: "Todos los demás modelos",
  othersText: "Usan la clave que tienes para su proveedor.",
  othersNone:
    "Aún no tienes claves de proveedores. Se usa la de la organización o la de la plataforma, si la hay.",
  provider: "Proveedor",
  model: "Modelo",
  modelHint: "Como lo llama la aplicación: los nombres se comparan exactamente.",
  ownKey: "Clave propia",
  usesProviderKey: "Usa la clave del proveedor",
  uses: {
    user: (provider: string) => `Usa tu clave de ${provider}`,
    org: (provider: string) => `Usa la clave de ${provider} de la organización`,
    global: (provider: string) => `Usa la clave de ${provider} de la plataforma`,
    org_model: "Usa la clave de la organización para este modelo",
    global_model: "Usa la clave de la plataforma para este modelo",
    environment: "Usa una variable del servidor",
  },
  noKey: "Sin clave",
  noKeyText: (provider: string) =>
    `Tampoco hay clave de ${provider}. Guarda una para el modelo o para el proveedor.`,
  cannotBeUsed: "Su clave no se puede usar",
  status: "Estado",
  changed: "Cambiada",
  replaceOrTest: "Cambiar o probar la clave",
  nameFirst: "Nombra primero el modelo.",
  nothingToTest: "Escribe una clave para probarla: no hay ninguna tuya que probar.",
  key: "Clave",
  keyHint: "Opcional: déjala vacía para usar la clave del proveedor.",
  keyReplaceHint: "Déjala vacía para conservar la clave guardada.",
  save: "Guardar clave",
  saved: (model: string) => `${model} tiene clave propia.`,
  testsForm: "Prueba la clave del campo.",
  testsOwn: "Prueba la clave propia del modelo.",
  testsProvider: "Prueba la clave del proveedor.",
  remove: "Quitar clave",
  removeTitle: (model: string) => `¿Quitar la clave de ${model}?`,
  removeText: "Desde entonces el modelo usa la clave del proveedor.",
  removed: (model: string) => `${model} vuelve a usar la clave del proveedor.`,
  replace: "Cambiar clave",
  why: "¿Por qué este token?",
};
