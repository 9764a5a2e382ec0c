(${direction:singlequote} = 'all' OR direction = ${direction:singlequote} OR direction = ''
                   AND if(${direction:singlequote} IN ('outbound', 'internal'), origin IN ('ours', ''), origin = 'outside'))
