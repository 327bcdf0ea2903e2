import assert from 'node:assert/strict'
import { before, describe, it } from 'mocha'
import { type Inventory, parseInventory } from '../../lib/config/inventory.ts'
import { demoInventoryYaml } from '../../lib/demo/demo-inventory.ts'
import { PODS, podAddresses } from '../../lib/demo/pods.ts'

describe('demo inventory', () => {
  let inventory: Inventory

  before(() => {
    inventory = parseInventory(demoInventoryYaml(), 'demo.yaml')
  })

  it('names ten pods of three namespaces', () => {
    assert.equal(inventory.pods.length, 10)
    assert.deepEqual([...new Set(inventory.pods.map(pod => pod.namespace))].sort(), ['kube-system', 'payments', 'shop'])
  })

  it('gives every pod one interface in a namespace of its own', () => {
    const places = inventory.pods.flatMap(pod => pod.interfaces.map(each => `${each.netns} ${each.device}`))
    assert.equal(new Set(places).size, 10)
    assert.ok(places.includes('/run/netns/pwd-cart eth0'))
  })

  it('gives every pod addresses that nobody else has', () => {
    const addresses = inventory.pods.flatMap(pod => pod.addresses)
    assert.equal(new Set(addresses).size, 2 * PODS.length)
  })

  it('knows the outside by name', () => {
    const outside = inventory.cidrs.filter(({ class: kind }) => kind === 'external').map(({ name }) => name)
    assert.deepEqual([...new Set(outside)], ['api.stripe.example', 'warehouse.example'])
  })

  it('refuses to place a pod that is not in the cast', () => {
    assert.throws(() => podAddresses('nobody'), /the demo has no pod nobody/)
  })
})
