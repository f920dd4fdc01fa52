-- Health of a SeldonDeployment (Seldon Core v1). It has no observedGeneration and its state may be stale for a while
-- after a change, so the replicas are looked at as well. Argo CD runs this without Lua's string library.
local function health(status, message)
  return { status = status, message = message }
end

local status = obj.status
if status == nil or status.state == nil then
  return health("Progressing", "Seldon's operator has not looked at it yet")
end
if status.state == "Failed" then
  return health("Degraded", status.description or "Seldon says Failed")
end

for _, predictor in ipairs(obj.spec.predictors or {}) do
  if predictor.replicas == 0 then
    return health("Suspended", "Predictor " .. predictor.name .. " has no replicas; Seldon applies no weights meanwhile")
  end
end

local wanting = {}
for name, deployment in pairs(status.deploymentStatus or {}) do
  local available, replicas = deployment.availableReplicas or 0, deployment.replicas or 0
  if available < replicas then
    table.insert(wanting, name .. " has " .. available .. " of " .. replicas .. " replicas")
  end
end
if #wanting > 0 then
  table.sort(wanting)
  return health("Progressing", table.concat(wanting, ", ") .. "; Seldon applies no weights meanwhile")
end
if status.state == "Available" then
  return health("Healthy", status.description or "All replicas are available")
end
return health("Progressing", status.description or ("Seldon says " .. status.state))
